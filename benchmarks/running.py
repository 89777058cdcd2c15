"""Start and stop what the benchmarks measure: a system, a no-op model in its TorchServe, other servers.

Everything is started here, on ports and in folders of its own, and is gone on leaving: a system that you have running
is neither measured nor touched.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

import settings
from ops import direct
from ops.data import secrets
from ops.native import postgres
from ops.native.ports import free_ports
from ops.system import ROOT, System
from ops.versions.management import Management

START_TIMEOUT_S = 120.0
POLL_INTERVAL_S = 0.1
# Ports of a system in a row, and those of what runs beside it.
PORTS = 12
NOOP_CONFIG = """minWorkers: {workers}
maxWorkers: {workers}
batchSize: {batch_size}
maxBatchDelay: 1
deviceType: cpu
"""


class StartError(Exception):
    """Something that shall be measured did not do what it was started for; the message has the end of its log."""


@contextmanager
def system(
    *archives: Path, port: int | None = None, checkout: Path | None = None, monitoring: bool = False
) -> Iterator[System]:
    """A system that is up, with the released model and these archives in its store; down on leaving.

    `checkout` is where its code is, if not here; its ports are PORTS in a row from `port` on.
    """
    with _folder_beside_the_state() as folder:
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
    """The files of another commit, with the environments of this one; gone on leaving."""
    with _folder_beside_the_state() as folder:
        packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
        if packed.returncode:
            raise StartError(f"BASE '{commit}' is no commit of this repository, for example: BASE=d0ab407")
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(folder, filter="data")
        (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
        yield folder


def ops(system: System, *words: str, checkout: Path | None = None) -> str:
    """Run what `make` runs for a command and its values; gives back what it says. Raises StartError where it fails."""
    environment = {
        **os.environ,
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
            said, _ = process.communicate()
        except BaseException:  # ended from outside: a training that it started would go on for minutes
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode != 0:
        raise StartError(f"'ops {' '.join(words)}' failed:\n{said}")
    return said


@contextmanager
def database() -> Iterator[System]:
    """A system of which PostgreSQL alone runs, migrated and empty; gone on leaving."""
    with _folder_beside_the_state() as folder, tempfile.TemporaryFile() as log:
        system = System(folder / "var", folder / "model_store", "127.0.0.1", first_port())
        system.make_folders()
        secrets.ensure(system)
        postgres.initialise(system)
        with subprocess.Popen(postgres.server_command(system), stdout=log, stderr=log) as server:
            try:
                _wait_until_it_accepts(server, system)
                postgres.migrate(system)
                yield system
            except StartError as error:
                log.seek(0)
                raise StartError(f"{error}\n{log.read()[-2000:].decode(errors='replace')}") from None
            finally:
                server.send_signal(signal.SIGINT)  # a fast shutdown
                server.wait(timeout=60)
                system.sockets.rmdir()


@contextmanager
def noop_archives(workers: int) -> Iterator[list[Path]]:
    """noop.mar, unbatched, and noop-batched.mar, batched as the model is."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        made = []
        for model, batch_size in (("noop", 1), ("noop-batched", 8)):
            config = folder / f"{model}.yaml"
            config.write_text(NOOP_CONFIG.format(workers=workers, batch_size=batch_size), encoding="ascii")
            command: list[str | Path] = [
                Path(sys.executable).with_name("torch-model-archiver"),
                "--model-name", model,
                "--version", "1.0",
                "--handler", ROOT / "benchmarks" / "noop_handler.py",
                "--config-file", config,
                "--export-path", folder,
            ]  # fmt: skip
            subprocess.run(command, check=True, env={**os.environ, "TMPDIR": name})
            made.append(folder / f"{model}.mar")
        yield made


def register(system: System, model: str) -> None:
    """Let TorchServe serve an archive of the store, and wait until its workers are up."""
    parameters = {"url": f"{model}.mar", "synchronous": "true"}
    Management(system.management_address).request("POST", "/models", parameters, START_TIMEOUT_S)


@contextmanager
def process(command: Sequence[str | Path], url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own that answers at `url`; ended with its children on leaving."""
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_it_answers(server, url)
            yield server
        except StartError as error:
            log.seek(0)
            raise StartError(f"{error}\n{log.read()[-2000:].decode(errors='replace')}") from None
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


def first_port(count: int = PORTS) -> int:
    """The first of `count` free ports in a row, from GATEWAY_PORT on."""
    return free_ports(settings.GATEWAY_PORT.read(), count)


def say(line: str) -> None:
    """Progress: a benchmark takes minutes."""
    print(line, flush=True)


@contextmanager
def _folder_beside_the_state() -> Iterator[Path]:
    """Beside a system's own state: keeping an answer takes as long as the disk does."""
    beside = ROOT / "var"
    beside.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=beside) as name:
        yield Path(name)


def _wait_until_it_accepts(server: subprocess.Popen[bytes], system: System) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not postgres.is_ready(system):
        if server.poll() is not None:
            raise StartError(f"PostgreSQL ended with status {server.returncode}")
        if time.monotonic() > deadline:
            raise StartError(f"PostgreSQL did not answer within {START_TIMEOUT_S:.0f} s")
        time.sleep(POLL_INTERVAL_S)


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if server.poll() is not None:
            raise StartError(f"{server.args!r} ended with status {server.returncode}")
        try:
            with direct.session() as session:
                session.get(url, timeout=5)  # it answers, if only that there is nothing
                return
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise StartError(f"{url} did not answer within {START_TIMEOUT_S:.0f} s") from None
        time.sleep(POLL_INTERVAL_S)
