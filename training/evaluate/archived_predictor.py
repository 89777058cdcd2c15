"""Use an archive as a predictor: its own handler predicts, in a separate process.

    with open_archive(Path("model_store/mnist-1.2.mar"), "float32") as predictor:
        predictor.predict_inputs(images)

So a release predicts as it did in service, independently of this checkout. The process imports from the archive and not
from the checkout. An archive is code: evaluate only archives that you would serve.
"""

import json
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
SCRIPT = Path(__file__).with_name("archive_worker.py")


class ArchivedPredictor:
    """Predictor in a separate process; `runtime` is its data type, if the archive reports it."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], errors: IO[bytes]) -> None:
        """Raises RuntimeError with the last error line if the archive does not load."""
        self._requests, self._answers, self._errors = requests, answers, errors
        self.runtime = self._read_line().decode().strip()

    def predict_inputs(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """Predict prepared images, uint8 (28, 28) each, in order."""
        self._requests.write(f"{len(inputs)}\n".encode() + np.stack(inputs).tobytes())
        self._requests.flush()
        return [Prediction(**answer) for answer in json.loads(self._read_line())]

    def _read_line(self) -> bytes:
        line = self._answers.readline()
        if not line:
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(lines[-1] if lines else "the process ended")
        return line


AnyPredictor: TypeAlias = Predictor | ArchivedPredictor


@contextmanager
def open_archive(archive: Path, runtime: str) -> Iterator[ArchivedPredictor]:
    """Open an archive as a predictor, in `runtime` if it has a file for it; the process ends with the block.

    Raises OSError or BadZipFile for a file that is not an archive, RuntimeError for an archive that does not load.
    """
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as contents:
            contents.extractall(folder)
        with subprocess.Popen(
            [sys.executable, "-I", SCRIPT, folder, archive.stem, runtime],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield ArchivedPredictor(*cast(Pipes, (process.stdin, process.stdout, process.stderr)))
            finally:
                process.kill()
