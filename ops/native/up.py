"""Start the system, also after a crash."""

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import psutil

from ops.data import secrets
from ops.errors import OpsError, UsageError
from ops.native import gateway, leftovers, monitoring, parts, postgres, supervisor
from ops.native.parts import Part
from ops.native.ports import LAST_PORT, PORTS_PER_SYSTEM, bind_error, listening_hosts
from ops.programs import run
from ops.system import ROOT, System, ports
from ops.versions.references import write_references
from ops.versions.state import RELEASED, archive_name
from ops.versions.store import open_store
from ops.wait import wait_until

READY_TIMEOUT_S = 180.0
POLL_INTERVAL_S = 0.2
PORT_RELEASE_S = 2.0
# nginx cannot quote a dollar sign and expands *, ? and [; initdb passes paths to a shell in double quotes; a colon
# separates paths in PYTHONPATH. Other characters work: spaces, %, ', ;, #, braces, letters of other scripts.
NOT_IN_A_PATH = re.compile(r'["$`\\*?\[:\x00-\x1f\x7f]')

_print = partial(print, flush=True)


def up(system: System, operator_password: str) -> None:
    """Start the system and wait until every part is healthy. Raises OpsError if a part is not."""
    system.make_folders()
    if supervisor.processes(system) is None:
        system = _without_missing_programs(system)
        secrets.write_operator_password(system, operator_password)
        _prepare(system)
        supervisor.start(system, dict(os.environ))
        system.record()
    else:
        wanted, system = system.monitoring, System.running_or_configured()
        _print("The system is already running; checking the health of each part.")
        if wanted and not system.monitoring:
            _print("It runs without monitoring. To start it with: make down, then make up MONITORING=1")
    started = time.monotonic()
    by_name = {part.name: part for part in parts.list_parts(system)}
    _wait_for(system, by_name.pop("postgres"), started)
    _step("migrations", lambda: postgres.migrate(system))
    write_references(system)
    for part in by_name.values():
        if not part.autostart:
            supervisor.start_part(system, part.name)
        _wait_for(system, part, started)
    _print(f"\nReady: draw a digit at {system.address}")
    if system.monitoring:
        _print(f"Monitoring: {system.address}/monitoring/")


def _without_missing_programs(system: System) -> System:
    """The system, without monitoring if its programs are missing."""
    if system.monitoring and (missing := monitoring.missing()):
        _print(
            f"MONITORING=1 needs {' and '.join(missing)} on the PATH ({monitoring.INSTALL_HINT}); it is left out."
        )
        return replace(system, monitoring=False)
    return system


def _prepare(system: System) -> None:
    _refuse_paths(system)
    to_archive = _version_to_archive(system)
    if stale := leftovers.find(system):
        title = f"stopping {len(stale)} processes left by a killed supervisor"
        _step(title, lambda: leftovers.terminate(stale))
    _refuse_taken_ports(system)
    if secrets.is_lost(system, secrets.OWNER) and system.database.exists():
        _step("setting a new password for the owner of the database", lambda: _renew_owner_password(system))
    for path in secrets.ensure(system):
        _print(f"wrote {path.relative_to(system.state.parent)}")
    if not system.database.exists():
        _step("creating the database", lambda: postgres.initialise(system))
    if to_archive:
        _step(f"archiving model {to_archive}", lambda: _archive(system, to_archive))
    if system.monitoring:
        monitoring.write_configuration(system)
    gateway.write_configuration(system)
    supervisor.write_configuration(system, parts.list_parts(system))


def _refuse_paths(system: System) -> None:
    folders = {"checkout": ROOT, "STATE_DIR": system.state, "MODEL_STORE": system.model_store}
    for name, folder in folders.items():
        if found := NOT_IN_A_PATH.search(str(folder)):
            raise OpsError(
                f"The folder of {name}, {str(folder)!r}, has the character {found[0]!r} in its path, which nginx, "
                "PostgreSQL or Python would take for something else. Choose a folder without it."
            )


def _renew_owner_password(system: System) -> None:
    """Set a new owner's password after its file was lost; access to the data directory allows that."""
    postgres.set_owner_password_of_stopped(system, secrets.create_next(system, secrets.OWNER))
    secrets.adopt(system, secrets.OWNER)


def _version_to_archive(system: System) -> str | None:
    """The released version if it is the default and has no archive, else None.

    Raises OpsError if the archive of another default is missing.
    """
    version = open_store(system).read().default
    archive = system.model_store / archive_name(version)
    if archive.exists():
        return None
    if version != RELEASED:
        raise OpsError(
            f"{archive} is missing, but {system.versions} names version {version} as the default: restore the "
            f"archive, or delete {system.versions} to serve the released {RELEASED}."
        )
    return version


def _refuse_taken_ports(system: System) -> None:
    if system.gateway_port > (highest := LAST_PORT - PORTS_PER_SYSTEM + 1):
        raise UsageError(
            f"GATEWAY_PORT={system.gateway_port} leaves no room for the other parts: they use the eleven ports above "
            f"it, and the last port is {LAST_PORT}. Choose {highest} or lower, for example: make up GATEWAY_PORT=8000"
        )
    public = listening_hosts(system.gateway_host)
    used = [(n, name, public if n == system.gateway_port else ["127.0.0.1"]) for name, n in ports(system)]
    # The kernel may free a port shortly after its process has ended.
    wait_until(lambda: not any(_bind_error(hosts, number) for number, _, hosts in used), PORT_RELEASE_S)
    for number, name, hosts in used:
        if taken := _bind_error(hosts, number):
            other = system.gateway_port + 1000 if system.gateway_port < 60000 else 8000
            raise OpsError(
                f"Port {number} ({name}) cannot be used: {taken}{_describe_owner(number)}. "
                f"Choose others, for example: make up GATEWAY_PORT={other}"
            )


def _bind_error(hosts: list[str], port: int) -> str | None:
    return next((reason for host in hosts if (reason := bind_error(host, port))), None)


def _describe_owner(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            at = connection.laddr
            if connection.status == psutil.CONN_LISTEN and at and at.port == port and (pid := connection.pid):
                return f" by process {pid} ({psutil.Process(pid).name()})"
    return ""


def _archive(system: System, version: str) -> None:
    """Archive the released checkpoint, in the serving environment; needs no training and no data."""
    options = ["-m", "training.archive", "--version", version, "--model-store", str(system.model_store)]
    archived, output = run(system.python("serve"), *options, folder=ROOT)
    if not archived:
        raise OpsError(f"Model {version} could not be archived: {output.splitlines()[-1]}")


def _wait_for(system: System, part: Part, started: float) -> None:
    def is_healthy() -> bool:
        if part.is_healthy(system):
            return True
        if supervisor.processes(system) is None:
            raise OpsError(f"The supervisor stopped; see {system.logs / 'supervisor.log'}")
        return False

    if not wait_until(is_healthy, READY_TIMEOUT_S, POLL_INTERVAL_S):
        raise OpsError(
            f"{part.name} was not ready within {READY_TIMEOUT_S:.0f} s; "
            f"see {system.logs / part.name}.log, then run 'make up' again"
        )
    _print(f"{part.name:<12} ready after {time.monotonic() - started:4.1f} s")


def _step(title: str, work: Callable[[], None]) -> None:
    started = time.monotonic()
    _print(f"{title} ...")
    work()
    _print(f"{title}: done in {time.monotonic() - started:.1f} s")
