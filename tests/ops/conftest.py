"""A system of the tests' own, with nothing started, and one with PostgreSQL alone."""

import signal
import subprocess
from contextlib import contextmanager

import pytest

from ops import postgres, secrets
from ops.system import System
from tests.system.running import eventually, first_port


@contextmanager
def a_system(folder):
    """A system below a folder, with nothing started."""
    system = System(folder / "var", folder / "model_store", "127.0.0.1", first_port())
    system.make_folders()
    system.model_store.mkdir()
    try:
        yield system
    finally:
        system.sockets.rmdir()


@contextmanager
def a_server(system):
    """PostgreSQL of a system, answering; nothing is migrated yet."""
    secrets.ensure(system)
    postgres.initialise(system)
    with subprocess.Popen(postgres.server_command(system), stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: postgres.answers(system))
            yield system
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture
def system(tmp_path):
    with a_system(tmp_path) as system:
        yield system


@pytest.fixture
def server(system):
    with a_server(system) as server:
        yield server
