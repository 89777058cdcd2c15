"""Let TorchServe fill a batch with all requests that wait, also where none waits for others.

    write_patched_class(jar, folder)    # the folder that TorchServe is started in

With a batch delay of 0, `Model.pollBatch` ends after the second request: `if (maxDelay <= 0) break`. The class written
here has `<` in its place, one byte of its code. Java finds it first, because TorchServe's class path begins with the
folder that it is started in. 0.12.0 is TorchServe's last release, so the class stays what it is.
"""

import logging
import zipfile
from pathlib import Path

CLASS = "org/pytorch/serve/wlm/Model.class"
# lload 6 (maxDelay), lconst_0, lcmp, ifgt (in pollBatch alone): goes on where the delay is above 0.
FOUND = bytes.fromhex("16 06 09 94 9d")
# ifge: goes on where it is 0 too. After a tick of the clock it is below 0, and poll takes that for 0.
PATCHED = bytes.fromhex("16 06 09 94 9c")

log = logging.getLogger(__name__)


def write_patched_class(jar: Path, folder: Path) -> None:
    """Write the class; with a jar that is not TorchServe 0.12.0's, write none and log it: a batch has two requests."""
    with zipfile.ZipFile(jar) as classes:
        code = classes.read(CLASS)
    if code.count(FOUND) != 1:
        log.warning("%s is not of TorchServe 0.12.0: a batch takes two of the requests that wait.", jar.name)
        return
    file = folder / CLASS
    file.parent.mkdir(parents=True)
    file.write_bytes(code.replace(FOUND, PATCHED))
