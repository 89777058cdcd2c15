"""The errors that a command prints instead of a traceback."""

import os
import subprocess
import sys

import pytest

from ops.errors import OpsError, UsageError, run_cli
from ops.system import ROOT


def _raising(error):
    def command():
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (OpsError("it is wrong"), 1, "it is wrong\n"),
        (UsageError("VERSION is missing"), 2, "VERSION is missing\n"),
        (IsADirectoryError(21, "A folder", "/var/lock"), 1, "/var/lock cannot be used: A folder\n"),
        (
            KeyboardInterrupt(),
            130,
            "Interrupted. Run the same command again to continue, or 'make down' to stop all parts.\n",
        ),
    ],
)
def test_an_error_is_one_line(capsys, error, status, message):
    assert run_cli(_raising(error)) == status
    assert capsys.readouterr().err == message


def test_an_os_error_without_a_file_keeps_its_traceback():
    with pytest.raises(OSError, match="no route"):
        run_cli(_raising(OSError("no route")))


def _ops(*arguments, state, stdout, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=ROOT,
        env={**os.environ, "STATE_DIR": str(state), **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_a_closed_pipe_causes_no_traceback(tmp_path):
    """As in `make status | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = _ops("status", state=tmp_path, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_file_at_the_state_folder_path_gets_a_one_line_error(tmp_path):
    (tmp_path / "var").touch()
    done = _ops("up", state=tmp_path / "var", stdout=subprocess.DEVNULL)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(f"{tmp_path / 'var'} cannot be used: ")
