"""Forward TorchServe's output line by line, and find the exception of a worker that failed to start.

output = WorkersOutput(process.stdout)
output.start()
output.exit_reason("1.1")     # "RuntimeError: mat1 and mat2 shapes cannot be multiplied", or None
"""

import json
import logging
import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

# TorchServe names the thread that reads a worker's output after the worker.
WORKERS_THREAD = re.compile(r"(?P<worker>W-\d+)-mnist_(?P<version>\S+)-std(?:out|err)")
TRACEBACK = "Traceback (most recent call last):"
LONGEST = 300

log = logging.getLogger("ops.versions.controller")


class WorkersOutput(threading.Thread):
    """A thread that reads TorchServe's output until it ends."""

    def __init__(self, output: Iterable[bytes]) -> None:
        super().__init__(daemon=True)
        self._output = output
        self._in_traceback: set[str] = set()
        self._exceptions: dict[str, str] = {}

    def run(self) -> None:
        for line in self._output:
            text = line.decode(errors="replace").rstrip()
            entry = _entry(text)
            if not entry:
                log.info("TorchServe: %s", text)  # from the JVM or the launcher
                continue
            message = str(entry.get("message"))
            of_handler = _entry(message)
            print(message if "part" in of_handler else text, flush=True)
            for printed in str(of_handler.get("exception", message)).splitlines():
                self._note(str(entry.get("thread")), printed)

    def exit_reason(self, version: str) -> str | None:
        """The first exception of a version's workers since the last `reset`; None if there is none."""
        return self._exceptions.get(version)

    def reset(self, version: str) -> None:
        """Forget the exception of a version."""
        self._exceptions.pop(version, None)

    def _note(self, thread: str, text: str) -> None:
        found = WORKERS_THREAD.fullmatch(thread)
        if not found:
            return
        worker, version = found["worker"], found["version"]
        if text.startswith(TRACEBACK):
            self._in_traceback.add(worker)
        # Python indents every line of a traceback but the last, which names the exception.
        elif worker in self._in_traceback and text and not text[0].isspace():
            self._in_traceback.discard(worker)
            self._exceptions.setdefault(version, text[:LONGEST])


def _entry(text: str) -> dict[str, Any]:
    """The fields of a JSON line; empty for any other line."""
    with suppress(ValueError, RecursionError):
        content = json.loads(text)
        if isinstance(content, dict):
            return content
    return {}
