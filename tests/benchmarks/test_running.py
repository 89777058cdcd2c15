"""Programs that a benchmark starts are separate and stop at its end."""

import os
import signal
import sys
from threading import Thread

import pytest

from benchmarks import running
from benchmarks.running import StartError
from fixtures.waiting import eventually
from ops.lock import is_held
from ops.native import postgres
from ops.system import System

# Instead of a retraining: a command with a child that runs for minutes and holds a lock.
COMMAND = """
import subprocess, sys
child = "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX); time.sleep(600)"
subprocess.run([sys.executable, "-c", child, sys.argv[1]])
"""


@pytest.mark.service
def test_a_database_leaves_no_files_and_processes():
    with running.database() as system:
        assert postgres.is_ready(system)
    assert not postgres.is_ready(system)
    assert not system.state.exists()
    assert not system.sockets.exists()


def test_a_checkout_of_another_commit_has_the_environments_of_this_one():
    with running.checkout("HEAD") as folder:
        assert (folder / "config.properties").is_file()
        assert (folder / ".venv").resolve() == (running.ROOT / ".venv").resolve()
    assert not folder.exists()


def test_the_error_names_an_unknown_base():
    with pytest.raises(StartError, match="BASE 'nothing' is no commit"), running.checkout("nothing"):
        pass


def test_sigterm_stops_the_processes_of_its_commands(tmp_path, monkeypatch):
    (tmp_path / "ops.py").write_text(COMMAND)
    lock = tmp_path / "lock"
    lock.touch()
    monkeypatch.setattr(running, "ROOT", tmp_path)

    def terminate_after_the_start() -> None:
        eventually(lambda: is_held(lock))
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    thread = Thread(target=terminate_after_the_start)
    thread.start()
    try:
        with pytest.raises(SystemExit):
            running.ops(System(tmp_path / "var", tmp_path, "127.0.0.1", 8000), str(lock))
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    eventually(lambda: not is_held(lock))
