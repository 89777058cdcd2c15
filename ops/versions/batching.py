"""Patch TorchServe so that a batch takes every queued request, also with a batch delay of 0.

    write_patched_class(jar, folder)    # folder: TorchServe's working directory

With a batch delay of 0, `Model.pollBatch` stops after the second request: `if (maxDelay <= 0) break`. The patch
replaces `<=` by `<`, one byte of the class. Java loads the patched class first, because TorchServe's class path begins
with the working directory. 0.12.0 is TorchServe's last release, so the class does not change.
"""

import logging
import zipfile
from pathlib import Path

CLASS = "org/pytorch/serve/wlm/Model.class"
# lload 6 (maxDelay), lconst_0, lcmp, ifgt: the loop continues if the delay is above 0. Occurs in pollBatch alone.
FOUND = bytes.fromhex("16 06 09 94 9d")
# ifge: it also continues at 0. After a clock tick the delay is below 0, which poll treats as 0.
PATCHED = bytes.fromhex("16 06 09 94 9c")

log = logging.getLogger(__name__)


def write_patched_class(jar: Path, folder: Path) -> None:
    """Write the patched class. With another jar than TorchServe 0.12.0's, log a warning and write nothing."""
    with zipfile.ZipFile(jar) as classes:
        code = classes.read(CLASS)
    if code.count(FOUND) != 1:
        log.warning("%s is not of TorchServe 0.12.0: a batch takes two of the requests that wait.", jar.name)
        return
    file = folder / CLASS
    file.parent.mkdir(parents=True)
    file.write_bytes(code.replace(FOUND, PATCHED))
