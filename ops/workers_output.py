"""What TorchServe prints, handed on line by line, and what of it tells why a worker did not start.

output = WorkersOutput(process.stdout)
output.start()
output.why("1.1")     # "RuntimeError: mat1 and mat2 shapes cannot be multiplied", or None
"""

import re
import sys
import threading
from collections.abc import Iterable

# As ops/torchserve-log4j2.xml lays them out; the thread that reads a worker's output has its name.
WORKERS_LINE = re.compile(r"(?P<worker>W-\d+)-mnist_(?P<version>\S+)-std(?:out|err) MODEL_LOG (?P<text>.*)")
TRACEBACK = "Traceback (most recent call last):"
LONGEST = 300


class WorkersOutput(threading.Thread):
    """Ends with the output that it reads."""

    def __init__(self, output: Iterable[bytes]) -> None:
        super().__init__(daemon=True)
        self._output = output
        self._in_traceback: set[str] = set()
        self._exceptions: dict[str, str] = {}

    def run(self) -> None:
        for line in self._output:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            self._note(line.decode(errors="replace").rstrip())

    def why(self, version: str) -> str | None:
        """The first exception of a version's workers since it was last forgotten."""
        return self._exceptions.get(version)

    def forget(self, version: str) -> None:
        """Look for what comes from now on."""
        self._exceptions.pop(version, None)

    def _note(self, line: str) -> None:
        found = WORKERS_LINE.search(line)
        if not found:
            return
        worker, version, text = found["worker"], found["version"], found["text"]
        if text.startswith(TRACEBACK):
            self._in_traceback.add(worker)
        # Python indents all of a traceback but its last line, which names the exception.
        elif worker in self._in_traceback and text and not text[0].isspace():
            self._in_traceback.discard(worker)
            self._exceptions.setdefault(version, text[:LONGEST])
