"""Find and terminate leftover processes of a system or of one of its parts.

A killed supervisor leaves its parts running, a killed nginx its workers, a killed `torchserve` its JVM. A mark in the
environment identifies each process.
"""

import contextlib
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import psutil

from ops.system import MARK, ROOT, System
from ops.wait import wait_until

PART_MARK = "MNIST_PART"
# Without a supervisor nobody reads a part's output, so the part may block on its next write.
STOP_TIMEOUT_S = 8.0


def find(system: System, part: str | None = None) -> list[psutil.Process]:
    """Running processes of the system or of one part, without the caller and its ancestors."""
    this = psutil.Process()
    own = {this.pid, *(parent.pid for parent in this.parents())}
    others = [process for process in psutil.process_iter() if process.pid not in own]
    found = [process for process in others if _is_marked(process, system, part)]
    if part in (None, "gateway"):
        found += [process for process in others if process not in found and _is_gateway(process, system)]
    return found


def terminate(processes: Iterable[psutil.Process]) -> None:
    """Send SIGTERM to the processes, and SIGKILL to those still alive after STOP_TIMEOUT_S."""
    alive = list(processes)
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                send(process)
        wait_until(partial(_remove_ended, alive), STOP_TIMEOUT_S)


def _remove_ended(processes: list[psutil.Process]) -> bool:
    """Remove ended processes from the list; return whether it is empty."""
    processes[:] = filter(_is_alive, processes)
    return not processes


def marks(system: System, part: str | None = None) -> dict[str, str]:
    """The environment variables by which `find` identifies a process."""
    return {MARK: os.fspath(system.state)} | ({PART_MARK: part} if part else {})


def _is_marked(process: psutil.Process, system: System, part: str | None) -> bool:
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    marked = all(environment.get(name) == value for name, value in marks(system, part).items())
    return marked and _is_alive(process)


def _is_alive(process: psutil.Process) -> bool:
    """Whether a process runs. A zombie does not: it waits for its parent, possibly forever."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_gateway(process: psutil.Process, system: System) -> bool:
    """Whether a process is this checkout's nginx, by port and path: its title overwrites its environment."""
    try:
        program = Path(process.exe())
        environments = [environment.resolve() for environment in (ROOT / ".venv").iterdir()]
        if program.name != "nginx" or not any(map(program.is_relative_to, environments)):
            return False
        listening = [c.laddr for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        return any(address.port == system.gateway_port for address in listening)
    except (psutil.Error, OSError):
        return False
