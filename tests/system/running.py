"""A running system for the tests: started and stopped by the commands that `make` runs, or a remote one.

With SYSTEM_ADDRESS=https://localhost:8443 the tests use a system that already runs, such as one in containers. Tests
that need more than its address are skipped and name the reason. SYSTEM_DATABASE is the connection string of its
database's owner, REQUESTS_CA_BUNDLE its certificate if that is self-signed.
"""

import os
import random
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
import requests

from fixtures import predictions
from fixtures.ports import free_ports
from ops.native import leftovers, postgres
from ops.native.ports import PORTS_PER_SYSTEM
from ops.system import System
from tests.system.proxy import proxy

ROOT = Path(__file__).parent.parent.parent
UP_WITHIN_S = 60


class Logged(NamedTuple):
    """A drawing in the table `predictions`."""

    prediction: int
    true_label: int | None
    revision: int
    drawing: bytes
    id: UUID


@dataclass(frozen=True)
class RunningSystem:
    """A local system with its state in a temporary folder and on free ports; without `local`, a remote one."""

    local: System | None
    environment: dict[str, str] = field(repr=False)  # with secrets, which a failed test must not show
    checkout: Path = ROOT

    @property
    def system(self) -> System:
        """Its files, ports and processes. Skips the test for a remote system."""
        if self.local is None:
            _skip("this test reads files or processes of the system, and SYSTEM_ADDRESS is remote")
        return self.local

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.local.gateway_port}" if self.local else os.environ["SYSTEM_ADDRESS"]

    @property
    def operators_address(self) -> str:
        """The address that makes a visitor an operator, because the visitor is on this machine."""
        if self.local is None:
            _skip("at SYSTEM_ADDRESS an operator needs a password")
        return self.address

    @property
    def database(self) -> str:
        """The connection string of the owner of the database."""
        if self.local is None and "SYSTEM_DATABASE" not in os.environ:
            _skip("this test reads the database, and SYSTEM_DATABASE is not set")
        return postgres.owner_url(self.local) if self.local else os.environ["SYSTEM_DATABASE"]

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection to the public listener, for raw bytes."""
        parts = urlsplit(self.address)
        assert parts.hostname is not None
        connection = socket.create_connection((parts.hostname, parts.port or 443), timeout=timeout_s)
        if parts.scheme == "http":
            return connection
        trusted = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE"))
        return trusted.wrap_socket(connection, server_hostname=parts.hostname)

    def ops(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command with its arguments, as `make` does."""
        if self.local is None:
            _skip("this test runs commands of `make`, and SYSTEM_ADDRESS belongs to another checkout")
        return subprocess.run(
            [sys.executable, "-m", "ops", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query, values).fetchall()

    def insert(self, **changes: object) -> UUID:
        """Insert a drawing with these values; returns its id."""
        with psycopg.connect(self.database) as connection:
            return predictions.insert(connection, **changes)

    def drawings(self) -> int:
        """The number of drawings in the database."""
        return self.rows("SELECT count(*) FROM predictions")[0][0]

    def newest(self) -> Logged:
        """The drawing with the latest start."""
        [row] = self.rows(
            "SELECT prediction, true_label, revision, drawing, id FROM predictions ORDER BY created_at DESC LIMIT 1"
        )
        return Logged(*row)

    def predict(self, body: bytes, **headers: str) -> requests.Response:
        """POST a body to the public predictions endpoint."""
        return requests.post(f"{self.address}/predictions/mnist", data=body, headers=headers, timeout=30)


@contextmanager
def start_system(state: Path, model_store: Path, **settings: str) -> Iterator[RunningSystem]:
    """Start a system with these settings, and stop it at the end, when no process of it may be left.

    Its environment, and that of its commands, names a proxy that never answers: a request to the outside would fail.
    """
    with proxy() as outside:
        yield from _start(state, model_store, outside.environment | settings)
    assert not outside.requests, f"The proxy received {outside.requests}"


def _start(state: Path, model_store: Path, settings: dict[str, str]) -> Iterator[RunningSystem]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "STATE_DIR": str(state),
        "MODEL_STORE": str(model_store),
        "GATEWAY_PORT": str(first_port()),
        "RATE_LIMIT_PER_SECOND": "0",
        "PUBLIC_HOSTS": "somewhere.localhost",  # another name than localhost that resolves to this machine
        "WORKERS_UP_WITHIN_SECONDS": str(UP_WITHIN_S),
        "MONITORING": "0",
        **settings,
    }
    system = System(state, model_store, "127.0.0.1", int(environment["GATEWAY_PORT"]))
    running = RunningSystem(system, environment)
    try:
        done = running.ops("up")
        assert done.returncode == 0, done.stdout + done.stderr + logs(system)
        yield running
    finally:
        done = running.ops("down")
    assert done.returncode == 0, done.stdout + done.stderr
    assert leftovers.find(system) == []
    assert not system.sockets.exists()


def _skip(reason: str) -> NoReturn:
    raise pytest.skip.Exception(reason)


def logs(system: System) -> str:
    """The last lines of every log, to report a failed start."""
    ends = {path.name: path.read_text(errors="replace")[-3000:] for path in system.logs.glob("*.log")}
    return "".join(f"\n--- {name}\n{end}" for name, end in ends.items())


def first_port(count: int = PORTS_PER_SYSTEM) -> int:
    """The first of `count` consecutive free ports, below the range that the kernel gives to clients.

    The search begins at a random port, because several test runs search at the same time.
    """
    return free_ports(random.randrange(10_000, 30_000), count)
