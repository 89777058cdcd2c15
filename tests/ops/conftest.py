"""A system of the tests' own, with nothing started, and one with PostgreSQL alone."""

import signal
import subprocess

import pytest

from ops import postgres, secrets
from ops.system import System
from tests.system.running import eventually, free_ports


@pytest.fixture
def system(tmp_path):
    system = System(tmp_path / "var", tmp_path / "model_store", "127.0.0.1", free_ports())
    system.make_folders()
    yield system
    system.sockets.rmdir()


@pytest.fixture
def server(system):
    """A system whose PostgreSQL answers; nothing is migrated yet."""
    secrets.ensure(system)
    postgres.initialise(system)
    with subprocess.Popen(postgres.server_command(system), stderr=subprocess.DEVNULL) as process:
        eventually(lambda: postgres.answers(system))
        yield system
        process.send_signal(signal.SIGINT)
