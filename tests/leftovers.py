"""Find the processes and files that a test session leaves behind.

    session = Session.begin()
    ...
    session.left_behind()      # a line for each process and file; empty if there are none

A process belongs to the session if its environment has the session's mark, or if it has opened a file in the session's
temporary folder: nginx overwrites its environment with its title, so it has no mark. Open ports are not checked,
because each has a process. Files in the temporary folder are not checked, because the session deletes the folder. The
sockets of a system in that folder may be outside of it (System.sockets), so they are checked. The module needs only the
standard library, because it runs in the environment of every part.
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
# The default output folders of a checkout's programs.
OUTPUT_FOLDERS = ("backups", "model_store", "runs", "var")
# In the command line of multiprocessing's helper processes, which end with the process that started them.
OF_MULTIPROCESSING = b"from multiprocessing."
# On a busy machine a process takes seconds to end, and a concurrent session may have output files for seconds.
END_WITHIN_S = 30.0
POLL_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Session:
    """The mark of the processes, the temporary folder, and the output files that existed before the session."""

    mark: str
    folder: Path
    outputs: frozenset[Path]

    @classmethod
    def begin(cls) -> "Session":
        """Set the mark and the temporary folder; all processes that are started later inherit them."""
        # A short name, because the path of a Unix socket has at most 107 bytes.
        session = cls(
            uuid.uuid4().hex,
            Path(tempfile.mkdtemp(prefix="t")).resolve(),
            frozenset(_outputs()),
        )
        # A lower priority than -100, at which multiprocessing deletes its own files in the folder.
        Finalize(None, shutil.rmtree, (session.folder,), {"ignore_errors": True}, exitpriority=-101)
        os.environ[MARK] = session.mark
        os.environ["TMPDIR"] = tempfile.tempdir = str(session.folder)
        return session

    def left_behind(self) -> list[str]:
        """Name the processes that do not end, and the new output files that remain, within END_WITHIN_S."""
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
        except OSError:  # the process has ended, or belongs to another user
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
