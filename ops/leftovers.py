"""Processes of a system or of one of its parts that outlived whoever started them.

A supervisor that was killed leaves its parts running, a killed nginx its workers, a killed `torchserve`
its JVM. Each carries the system's mark in its environment, and is ended by that.
"""

import contextlib
import os
from collections.abc import Iterable

import psutil

from ops.system import MARK, System

PART_MARK = "MNIST_PART"
STOP_TIMEOUT_S = 20.0


def find(system: System, part: str | None = None) -> list[psutil.Process]:
    """Living processes of the system, or of one part of it; never the caller or those that started it."""
    this = psutil.Process()
    own = {this.pid, *(parent.pid for parent in this.parents())}
    return [p for p in psutil.process_iter() if p.pid not in own and _belongs(p, system, part)]


def end(processes: Iterable[psutil.Process]) -> None:
    """Ask the processes to stop, and kill those that do not within STOP_TIMEOUT_S."""
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=STOP_TIMEOUT_S)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=STOP_TIMEOUT_S)


def marks(system: System, part: str | None = None) -> dict[str, str]:
    """The environment variables by which `find` knows a process."""
    return {MARK: os.fspath(system.state)} | ({PART_MARK: part} if part else {})


def _belongs(process: psutil.Process, system: System, part: str | None) -> bool:
    try:
        environment = process.environ()
        zombie = process.status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
    return not zombie and all(environment.get(name) == value for name, value in marks(system, part).items())
