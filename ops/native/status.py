"""Print state and health of each part."""

import contextlib
import os
import shutil
import time

import psutil

from ops.native import parts, supervisor
from ops.system import ROOT, System

# With less free space PostgreSQL soon stops: each file of its write-ahead log has 16 MiB.
LEAST_FREE_MIB = 100


def status(system: System) -> bool:
    """Print state and health check of each part; return whether all parts are healthy."""
    running = supervisor.processes(system)
    if running is None:
        print("The system is not running. Start it with: make up")
        return False
    healthy = True
    print(f"{'part':<12} {'state':<10} {'pid':>8} {'up':>10} {'memory':>8}  healthy")
    for part in parts.list_parts(system):
        info = running[part.name]
        # A stopped deliverer passes its check until a drawing waits for long; so a part must also run.
        part_healthy = bool(info["pid"]) and part.is_healthy(system)
        healthy = healthy and part_healthy
        up_for = _duration(info["now"] - info["start"]) if info["pid"] else "-"
        print(
            f"{part.name:<12} {info['statename'].lower():<10} {info['pid'] or '-':>8} {up_for:>10} "
            f"{memory_mib(info['pid']):>4.0f} MiB  {'yes' if part_healthy else 'no'}"
        )
    free_mib = shutil.disk_usage(system.state).free / 2**20
    if free_mib < LEAST_FREE_MIB:
        healthy = False
        free = f"Only {free_mib:.0f} MiB are free on the disk of {system.state}"
        print(f"\n{free}; drawings need {LEAST_FREE_MIB} MiB.")
    print(f"\n{system.address}" if healthy else f"\nFor the cause see {system.logs} or run: make logs")
    return healthy


def memory_mib(pid: int) -> float:
    """The resident memory of a process and its children in MiB, with shared pages divided among users (PSS)."""
    if not pid:
        return 0.0
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss / 2**20
    return total


def follow_logs(system: System) -> None:
    """Replace this process by `tail -F` over the logs of all parts, with JSON lines as text."""
    logs = sorted(str(path) for path in system.logs.glob("*.log"))
    if not logs:
        print("There are no logs yet. Start the system with: make up")
        return
    readable = ROOT / "ops" / "readable_logs.sed"
    os.execvp("sh", ["sh", "-c", 'tail -n 20 -F "$@" | sed -uEf "$0"', str(readable), *logs])


def _duration(seconds: float) -> str:
    days = seconds / 86400
    return time.strftime("%H:%M:%S", time.gmtime(seconds)) if days < 1 else f"{days:.1f} d"
