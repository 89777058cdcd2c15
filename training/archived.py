"""An archive as a predictor: the handler inside it answers, in a process of its own.

    with archived(Path("model_store/mnist-1.2.mar"), "float32") as predictor:
        predictor.predict_inputs(images)

So a release answers as it did when it served, whatever this checkout's network, calibration and augmentation are. The
process sees the archive and not the checkout. An archive is code: evaluate only those that you would serve.
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from handler.predictor import Prediction, Predictor

Pipes: TypeAlias = tuple[IO[bytes], IO[bytes], IO[bytes]]
SCRIPT = Path(__file__).with_name("answer_as_archived.py")


class ArchivedPredictor:
    """Answers for prepared images; `runtime` is what its network runs in, where the archive says so."""

    def __init__(self, asked: IO[bytes], answered: IO[bytes], errors: IO[bytes]) -> None:
        """Raises RuntimeError with the last line of the errors if the archive does not load."""
        self._asked, self._answered, self._errors = asked, answered, errors
        self.runtime = self._line().decode().strip()

    def predict_inputs(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """One answer an image, uint8 (28, 28) each, in their order."""
        self._asked.write(f"{len(inputs)}\n".encode() + np.stack(inputs).tobytes())
        self._asked.flush()
        return [Prediction(**answer) for answer in json.loads(self._line())]

    def _line(self) -> bytes:
        line = self._answered.readline()
        if not line:
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(said[-1] if said else "it stopped")
        return line


AnyPredictor: TypeAlias = Predictor | ArchivedPredictor


@contextmanager
def archived(archive: Path, runtime: str) -> Iterator[ArchivedPredictor]:
    """The predictor of an archive, with a file for it in this runtime; its process ends with the block.

    Raises OSError or BadZipFile for what is no archive, RuntimeError for one that does not load.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as contents:
            contents.extractall(folder)
        with subprocess.Popen(
            [sys.executable, "-P", SCRIPT, folder, archive.stem, runtime],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield ArchivedPredictor(*cast(Pipes, (process.stdin, process.stdout, process.stderr)))
            finally:
                process.kill()
