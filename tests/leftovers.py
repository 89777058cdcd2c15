"""Find the processes and files that a test session leaves behind.

    session = Session.begin()
    ...
    session.left_behind()      # a line for each process and file, none if all is well

A process belongs to the session if its environment has the session's mark, or if it has a file below the session's
temporary folder open, for nginx overwrites its environment with its title. Ports need no check of their own: an open
port has a process. Temporary files need none: the session removes its temporary folder. But a system whose state is in
that folder may have its sockets outside (System.sockets). Only the standard library is used, because this runs in the
environment of every part.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path

from ops.system import System

ROOT = Path(__file__).parent.parent
MARK = "TEST_SESSION"
# Where the programs of a checkout write by default.
OUTPUT_FOLDERS = ("backups", "model_store", "runs", "var")
# Helper processes of multiprocessing, which end with the process that started them.
OF_MULTIPROCESSING = b"from multiprocessing."
# A process that is ending takes a moment on a busy machine, and a session beside this one may have outputs for seconds.
END_WITHIN_S = 30.0
POLL_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Session:
    """The mark of the processes, the temporary folder, and the outputs that the checkout had before."""

    mark: str
    folder: Path
    outputs: frozenset[Path]

    @classmethod
    def begin(cls) -> "Session":
        """Set the mark and the temporary folder, which all processes started from here on inherit."""
        # A short path: that of a Unix socket has at most 107 bytes.
        session = cls(
            uuid.uuid4().hex,
            Path(tempfile.mkdtemp(prefix="t")).resolve(),
            frozenset(_outputs()),
        )
        # Run after multiprocessing has removed its own files there, which it does at priority -100.
        Finalize(None, shutil.rmtree, (session.folder,), {"ignore_errors": True}, exitpriority=-101)
        os.environ[MARK] = session.mark
        os.environ["TMPDIR"] = tempfile.tempdir = str(session.folder)
        return session

    def left_behind(self) -> list[str]:
        """Name each process that does not end, and each new output that does not go, within END_WITHIN_S."""
        deadline = time.monotonic() + END_WITHIN_S
        while (left := self._found()) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL_S)
        return left

    def _found(self) -> list[str]:
        processes = [f"process {pid}: {_command(pid)}" for pid in self._processes()]
        files = [*(_outputs() - self.outputs), *self._folders_of_sockets()]
        return processes + [f"file {path}" for path in sorted(files)]

    def _processes(self) -> Iterator[int]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid() and self._owns(entry):
                yield int(entry.name)

    def _owns(self, process: Path) -> bool:
        try:
            if OF_MULTIPROCESSING in (process / "cmdline").read_bytes():
                return False
            if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                return True
            opened = [*(process / "fd").iterdir(), process / "cwd"]
            return any(path.readlink().is_relative_to(self.folder) for path in opened)
        except OSError:  # it has ended, or is another user's
            return False

    def _folders_of_sockets(self) -> Iterator[Path]:
        """The folders of sockets outside of the temporary folder, of all systems whose state is in it."""
        for folder, _, _ in os.walk(self.folder):
            sockets = System(Path(folder), self.folder, "", 0).sockets
            if sockets.exists() and not sockets.is_relative_to(self.folder):
                yield sockets


def _outputs() -> set[Path]:
    return {path for folder in OUTPUT_FOLDERS for path in (ROOT / folder).glob("*")}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "ended"
