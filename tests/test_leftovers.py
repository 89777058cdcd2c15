"""A test session fails and names each leftover process and file, and each test that hangs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# These sessions start servers and hang, each in a process of its own.
pytestmark = pytest.mark.service
TIDY = """
import subprocess, sys, tempfile

def test_it(tmp_path):
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    tempfile.mkstemp()
"""
# Tests that leave a listening process, a file in the model store and a folder in /tmp, one that hangs, and one that
# fails.
UNTIDY = """
import os, sys, time
import pytest
from ops.system import System
from tests import leftovers

def test_leaves_a_process():
    server = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(600)"
    os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", server])

def test_leaves_a_file():
    (leftovers.ROOT / "model_store" / "left-behind").touch()

def test_leaves_a_folder_of_sockets(tmp_path):
    System(tmp_path / "a state", tmp_path, "127.0.0.1", 8000).make_folders()

@pytest.mark.timeout(0.5)
def test_hangs():
    time.sleep(600)

@pytest.fixture(scope="module")
def service(tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    (logs / "quiet.log").write_text("not of this test")
    os.utime(logs / "quiet.log", (0, 0))
    return logs / "part.log"

def test_fails(service):
    service.write_text("the reason")
    assert False
"""
# The session has the checkout's configuration and conftest.py. Its test file is in another folder, where the session
# searches for output files, and it waits 0.5 s instead of 30 for the end of processes.
OPTIONS = ("-c", "pyproject.toml", "-p", "tests.conftest", "-p", "no:cacheprovider")
PYTEST = """
import sys, pytest
from pathlib import Path
from tests import leftovers
leftovers.END_WITHIN_S = 0.5
leftovers.ROOT = Path(sys.argv[-1]).parent
sys.exit(pytest.main(sys.argv[1:]))
"""
SOCKETS = r"^file (/tmp/mnist-\d+-[0-9a-f]{8})$"


def _run(folder: Path, tests: str) -> tuple[str, int]:
    """Run the tests in a new session; return its output and exit status."""
    file = folder / "test_it.py"
    file.write_text(tests)
    command = [sys.executable, "-c", PYTEST, *OPTIONS, file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, done.returncode


@pytest.fixture(scope="module")
def untidy(tmp_path_factory):
    """The output of the session with UNTIDY."""
    folder = tmp_path_factory.mktemp("untidy")
    (folder / "model_store").mkdir()
    output, status = _run(folder, UNTIDY)
    assert status == 1
    yield output
    for pid in re.findall(r"^process (\d+): ", output, re.MULTILINE):
        os.kill(int(pid), signal.SIGKILL)
    for folder in re.findall(SOCKETS, output, re.MULTILINE):
        Path(folder).rmdir()


def test_a_tidy_session_passes(tmp_path):
    output, status = _run(tmp_path, TIDY)
    assert status == 0, output
    assert "left behind" not in output


def test_a_leftover_process_is_named(untidy):
    [line] = [line for line in untidy.splitlines() if line.startswith("process ")]
    assert "create_server" in line


def test_a_leftover_file_is_named(untidy):
    assert re.search(r"^file .*/model_store/left-behind$", untidy, re.MULTILINE)


def test_a_leftover_socket_folder_is_named(untidy):
    assert len(re.findall(SOCKETS, untidy, re.MULTILINE)) == 1


def test_a_hanging_test_is_ended_and_named(untidy):
    assert re.search(r"^FAILED .*::test_hangs - Failed: Timeout", untidy, re.MULTILINE)


def test_a_failed_test_shows_the_logs_of_its_services(untidy):
    assert "part.log" in untidy
    assert "the reason" in untidy
    assert "not of this test" not in untidy
