"""A running system for the tests: started, asked and stopped by the commands that `make` runs."""

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import requests

from ops import leftovers, postgres
from ops.system import System

ROOT = Path(__file__).parent.parent.parent
POLL_INTERVAL_S = 0.1


@dataclass(frozen=True)
class RunningSystem:
    """A system of its own: its state in a temporary folder, its ports free ones."""

    system: System
    environment: dict[str, str]
    checkout: Path = ROOT

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.system.gateway_port}"

    @property
    def database(self) -> str:
        """The connection string of the owner of the database."""
        return postgres.owner_url(self.system)

    def ops(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run what `make <command>` runs."""
        return subprocess.run(
            [sys.executable, "-m", "ops", command],
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

    def predict(self, body: bytes, **headers: str) -> requests.Response:
        """POST a body to the public predictions endpoint."""
        return requests.post(f"{self.address}/predictions/mnist", data=body, headers=headers, timeout=30)


@contextmanager
def started(state: Path, model_store: Path) -> Iterator[RunningSystem]:
    """A system that is up; on leaving, it is down and has left nothing behind."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "STATE_DIR": str(state),
        "MODEL_STORE": str(model_store),
        "GATEWAY_PORT": str(free_ports()),
        "RATE_LIMIT_PER_SECOND": "0",
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


def logs(system: System) -> str:
    """The end of every log, for the report of a failed start."""
    ends = {path.name: path.read_text(errors="replace")[-3000:] for path in system.logs.glob("*.log")}
    return "".join(f"\n--- {name}\n{end}" for name, end in ends.items())


def free_ports(count: int = 9) -> int:
    """The first of `count` free ports in a row, below those that the kernel gives to clients."""
    while True:
        first = random.randrange(10_000, 30_000)
        if all(_is_free(port) for port in range(first, first + count)):
            return first


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def eventually(look: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """What `look` gives as soon as it is truthy and raises nothing that may pass; polls."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            value = look()
            if value:
                return value
            failure: BaseException = AssertionError(f"still {value!r} after {timeout_s} s")
        except (AssertionError, requests.RequestException, psycopg.Error) as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure
        time.sleep(POLL_INTERVAL_S)
