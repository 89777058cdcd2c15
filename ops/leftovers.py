"""Processes of a system or of one of its parts that outlived whoever started them.

A supervisor that was killed leaves its parts running, a killed nginx its workers, a killed `torchserve`
its JVM. Each carries the system's mark in its environment, and is ended by that.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from ops.system import MARK, ROOT, System

PART_MARK = "MNIST_PART"
# A part whose supervisor is gone may hang at its next word, for nobody reads what it says.
STOP_TIMEOUT_S = 8.0
POLL_INTERVAL_S = 0.1


def find(system: System, part: str | None = None) -> list[psutil.Process]:
    """Living processes of the system, or of one part of it; never the caller or those that started it."""
    this = psutil.Process()
    own = {this.pid, *(parent.pid for parent in this.parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own
        and (
            _is_marked(process, system, part) or (part in (None, "gateway") and _is_gateway(process, system))
        )
    ]


def terminate(processes: Iterable[psutil.Process]) -> None:
    """Ask the processes to stop, and kill those that do not within STOP_TIMEOUT_S."""
    alive = list(processes)
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                send(process)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while (alive := [p for p in alive if _is_alive(p)]) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL_S)


def marks(system: System, part: str | None = None) -> dict[str, str]:
    """The environment variables by which `find` knows a process."""
    return {MARK: os.fspath(system.state)} | ({PART_MARK: part} if part else {})


def _is_marked(process: psutil.Process, system: System, part: str | None) -> bool:
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    marked = all(environment.get(name) == value for name, value in marks(system, part).items())
    return marked and _is_alive(process)


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process still does anything: a zombie only waits for its parent, which may never look."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_gateway(process: psutil.Process, system: System) -> bool:
    """nginx writes its title over its environment: it is known by its port, and as this checkout's own."""
    try:
        program = Path(process.exe())
        environments = [environment.resolve() for environment in (ROOT / ".venv").iterdir()]
        return (
            program.name == "nginx"
            and any(program.is_relative_to(environment) for environment in environments)
            and any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == system.gateway_port
                for connection in process.net_connections("tcp")
            )
        )
    except (psutil.Error, OSError):
        return False
