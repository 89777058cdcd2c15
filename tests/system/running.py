"""A running system for the tests: started, asked and stopped by the commands that `make` runs; or one elsewhere.

SYSTEM_ADDRESS=https://localhost:8443 lets the tests ask a system that runs already, such as one in containers. What
they need of it beyond its address, they skip, each with its reason. SYSTEM_DATABASE is the connection string of its
database's owner, REQUESTS_CA_BUNDLE the certificate that it shows where nobody else vouches for it.
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

from ops.native import leftovers, postgres
from ops.native.ports import PORTS_PER_SYSTEM, free_ports
from ops.system import System
from tests.system.proxy import proxy

ROOT = Path(__file__).parent.parent.parent
UP_WITHIN_S = 60


class Logged(NamedTuple):
    """A drawing as it is in the log."""

    prediction: int
    true_label: int | None
    revision: int
    drawing: bytes
    id: UUID


@dataclass(frozen=True)
class RunningSystem:
    """A system of its own: its state in a temporary folder, its ports free ones. Or, without `local`, one elsewhere."""

    local: System | None
    environment: dict[str, str] = field(repr=False)  # a failed test shows the rest
    checkout: Path = ROOT

    @property
    def system(self) -> System:
        """Its files, ports and processes; skips the test where these are not this machine's."""
        if self.local is None:
            _skip("this test looks into the system's files or processes, and SYSTEM_ADDRESS is another's")
        return self.local

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.local.gateway_port}" if self.local else os.environ["SYSTEM_ADDRESS"]

    @property
    def operators_address(self) -> str:
        """By which whoever asks is an operator, for they sit at the machine."""
        if self.local is None:
            _skip("at SYSTEM_ADDRESS nobody is an operator by where they sit")
        return self.address

    @property
    def database(self) -> str:
        """The connection string of the owner of the database."""
        if self.local is None and "SYSTEM_DATABASE" not in os.environ:
            _skip("this test looks into the database, and SYSTEM_DATABASE does not say where it is")
        return postgres.owner_url(self.local) if self.local else os.environ["SYSTEM_DATABASE"]

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection to the public listener, for bytes as they are."""
        parts = urlsplit(self.address)
        assert parts.hostname is not None
        connection = socket.create_connection((parts.hostname, parts.port or 443), timeout=timeout_s)
        if parts.scheme == "http":
            return connection
        trusted = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE"))
        return trusted.wrap_socket(connection, server_hostname=parts.hostname)

    def ops(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run what `make` runs for a command and its values."""
        if self.local is None:
            _skip("this test runs commands of `make`, and SYSTEM_ADDRESS is another checkout's")
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

    def drawings(self) -> int:
        """How many drawings are in the log."""
        return self.rows("SELECT count(*) FROM predictions")[0][0]

    def newest(self) -> Logged:
        """The drawing that was begun last."""
        [row] = self.rows(
            "SELECT prediction, true_label, revision, drawing, id FROM predictions ORDER BY created_at DESC LIMIT 1"
        )
        return Logged(*row)

    def predict(self, body: bytes, **headers: str) -> requests.Response:
        """POST a body to the public predictions endpoint."""
        return requests.post(f"{self.address}/predictions/mnist", data=body, headers=headers, timeout=30)


@contextmanager
def started(state: Path, model_store: Path, **settings: str) -> Iterator[RunningSystem]:
    """A system that is up, with these settings beside; on leaving, it is down and has left nothing behind.

    Its environment, and that of its commands, names a proxy, which answers nobody: nothing that it asks is outside.
    """
    with proxy() as outside:
        yield from _started(state, model_store, outside.environment | settings)
    assert not outside.asked, f"The proxy was asked: {outside.asked}"


def _started(state: Path, model_store: Path, settings: dict[str, str]) -> Iterator[RunningSystem]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "STATE_DIR": str(state),
        "MODEL_STORE": str(model_store),
        "GATEWAY_PORT": str(first_port()),
        "RATE_LIMIT_PER_SECOND": "0",
        "PUBLIC_HOSTS": "somewhere.localhost",  # a name that is not localhost leads to this machine
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
    """The end of every log, for the report of a failed start."""
    ends = {path.name: path.read_text(errors="replace")[-3000:] for path in system.logs.glob("*.log")}
    return "".join(f"\n--- {name}\n{end}" for name, end in ends.items())


def first_port(count: int = PORTS_PER_SYSTEM) -> int:
    """The first of `count` free ports in a row, below those that the kernel gives to clients.

    From somewhere on: several rows of tests look for theirs at once.
    """
    return free_ports(random.randrange(10_000, 30_000), count)
