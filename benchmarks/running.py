"""Start and stop the programs that the benchmarks measure: systems, no-op models in TorchServe, other servers.

Each program has separate ports and folders and stops at the end of its block. A system that already runs on the machine
is neither measured nor changed.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import requests
from playwright.sync_api import Browser

import settings
from fixtures.browser import HOW_TO_INSTALL, find_chromium, launch
from fixtures.ports import free_ports
from ops import direct
from ops.data import secrets
from ops.native import postgres
from ops.system import ROOT, System
from ops.versions.management import Management

START_TIMEOUT_S = 120.0
POLL_INTERVAL_S = 0.1
# Consecutive ports of one system.
PORTS = 12
NOOP_CONFIG = """minWorkers: {workers}
maxWorkers: {workers}
batchSize: {batch_size}
maxBatchDelay: 1
deviceType: cpu
"""


class StartError(Exception):
    """A measured program failed to start or to work; the message contains the end of its log."""


@contextmanager
def system(
    *archives: Path, port: int | None = None, checkout: Path | None = None, monitoring: bool = False
) -> Iterator[System]:
    """A running system with the released model and these archives in its store.

    `checkout` is the folder of its code, by default this repository. It uses PORTS ports from `port` on.
    """
    with _state_folder() as folder:
        store = folder / "model_store"
        store.mkdir()
        for archive in archives:
            shutil.copy(archive, store)
        system = System(folder / "var", store, "127.0.0.1", port or first_port(), monitoring=monitoring)
        say("starting a system to measure ...")
        try:
            ops(system, "up", checkout=checkout)
            yield system
        finally:
            ops(system, "down", checkout=checkout)


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder with the files of another commit and the environments of this one."""
    with _state_folder() as folder:
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
        if packed.returncode:
            raise StartError(f"BASE '{commit}' is no commit of this repository, for example: BASE=d0ab407")
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(folder, filter="data")
        (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
        yield folder


def ops(system: System, *words: str, checkout: Path | None = None) -> str:
    """Run the command behind a `make` target; returns its output. Raises StartError if it fails."""
    environment = os.environ | {
        "STATE_DIR": str(system.state),
        "MODEL_STORE": str(system.model_store),
        "GATEWAY_PORT": str(system.gateway_port),
        "RATE_LIMIT_PER_SECOND": "0",
        "MONITORING": str(int(system.monitoring)),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "ops", *words],
        cwd=checkout or ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:  # SIGTERM: a training in the group would run on for minutes
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode != 0:
        raise StartError(f"'ops {' '.join(words)}' failed:\n{output}")
    return output


@contextmanager
def database() -> Iterator[System]:
    """A system that runs only PostgreSQL, migrated and empty."""
    with _state_folder() as folder, _log() as log:
        system = System(folder / "var", folder / "model_store", "127.0.0.1", first_port())
        system.make_folders()
        secrets.ensure(system)
        postgres.initialise(system)
        with subprocess.Popen(postgres.server_command(system), stdout=log, stderr=log) as server:
            try:
                _wait_for_server(server, lambda: postgres.is_ready(system))
                postgres.migrate(system)
                yield system
            finally:
                server.send_signal(signal.SIGINT)  # a fast shutdown
                server.wait(timeout=60)
                system.sockets.rmdir()


@contextmanager
def noop_archives(workers: int) -> Iterator[list[Path]]:
    """noop.mar, without batching, and noop-batched.mar, with the batch size of the model."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        archives = []
        for model, batch_size in (("noop", 1), ("noop-batched", 8)):
            config = folder / f"{model}.yaml"
            config.write_text(NOOP_CONFIG.format(workers=workers, batch_size=batch_size), encoding="ascii")
            command: list[str | Path] = [
                Path(sys.executable).with_name("torch-model-archiver"), "--model-name", model, "--version", "1.0",
                "--handler", ROOT / "benchmarks" / "noop_handler.py", "--config-file", config, "--export-path", folder,
            ]  # fmt: skip
            subprocess.run(command, check=True, env={**os.environ, "TMPDIR": name})
            archives.append(folder / f"{model}.mar")
        yield archives


def register(system: System, model: str) -> None:
    """Register an archive of the store at TorchServe and wait for its workers."""
    parameters = {"url": f"{model}.mar", "synchronous": "true"}
    Management(system.management_address).request("POST", "/models", parameters, START_TIMEOUT_S)


@contextmanager
def process(command: Sequence[str | Path], url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers at `url`, in a separate process group, which is stopped with all children."""
    with _log() as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for_server(server, lambda: _answers(url))
            yield server
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium. Raises StartError if it is not installed."""
    path = find_chromium()
    if path is None:
        raise StartError(HOW_TO_INSTALL)
    with launch(path) as browser:
        yield browser


def wait_until(
    holds: Callable[[], object], problem: Callable[[], str], timeout_s: float = START_TIMEOUT_S
) -> None:
    """Poll until `holds` is true. Raises StartError with the problem after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise StartError(f"{problem()} after {timeout_s:.0f} s")
        time.sleep(POLL_INTERVAL_S)


def first_port(count: int = PORTS) -> int:
    """The first of `count` consecutive free ports, from GATEWAY_PORT on."""
    return free_ports(settings.GATEWAY_PORT.read(), count)


def say(line: str) -> None:
    """Print a line of progress, because a benchmark takes minutes."""
    print(line, flush=True)


@contextmanager
def _state_folder() -> Iterator[Path]:
    """A temporary folder on the disk of a system's state, because that disk determines the time of a write."""
    parent = ROOT / "var"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        yield Path(name)


@contextmanager
def _log() -> Iterator[IO[bytes]]:
    """A log file for a server; a StartError in the block gets the end of the log."""
    with tempfile.TemporaryFile() as log:
        try:
            yield log
        except StartError as error:
            log.seek(0)
            raise StartError(f"{error}\n{log.read()[-2000:].decode(errors='replace')}") from None


def _wait_for_server(server: subprocess.Popen[bytes], answers: Callable[[], bool]) -> None:
    wait_until(lambda: server.poll() is not None or answers(), lambda: f"{server.args!r} did not answer")
    if server.poll() is not None:
        raise StartError(f"{server.args!r} ended with status {server.returncode}")


def _answers(url: str) -> bool:
    """Whether the server at the URL answers with any status."""
    try:
        with direct.session() as session:
            session.get(url, timeout=5)
    except requests.RequestException:
        return False
    return True
