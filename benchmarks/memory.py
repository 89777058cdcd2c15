"""Memory: the PSS of each process of the system after 1,000 to 50,000 predictions.

PSS divides shared pages among their processes, so the sum is the memory that the system takes from the machine.
"""

import time
from collections.abc import Sequence

import psutil

from benchmarks import load, running
from benchmarks.figures import format_number
from benchmarks.load import LoadError, Target
from benchmarks.results import Results, Table
from benchmarks.running import say
from fixtures.canvas_png import canvases
from ops.native import leftovers
from ops.system import System

CLIENTS = 8
AFTER = (1_000, 10_000, 20_000, 30_000, 40_000, 50_000)
PIECE_S = 5.0
# On a busy machine, the run ends after this time with fewer predictions.
MOST_S = 420.0

Sizes = dict[str, float]


def measure() -> Results:
    """Start a system, send predictions through its gateway, and return the table."""
    bodies = canvases()
    counts, sizes = [], []
    with running.system() as system:
        target = Target("gateway", system.gateway_port, "/predictions/mnist")
        done, deadline = 0, time.monotonic() + MOST_S
        for goal in AFTER:
            while done < goal and time.monotonic() < deadline:
                done += _predict(target, bodies, goal - done)
                say(f"{done:,} of {AFTER[-1]:,} predictions, {sum(_sizes(system).values()):,.0f} MiB")
            counts.append(done)
            sizes.append(_sizes(system))
            if time.monotonic() >= deadline:
                say(f"stopped after {MOST_S:.0f} s")
                break
    return _results(counts, sizes)


def _predict(target: Target, bodies: Sequence[bytes], wanted: int) -> int:
    """Predict for PIECE_S or until `wanted` answers; returns the number of answers."""
    measured = load.run(target, bodies, CLIENTS, PIECE_S, warm_up_s=0.0, most=wanted)
    if not measured.latencies_ms:
        raise LoadError(f"No answer within {PIECE_S:.0f} s")
    return len(measured.latencies_ms)


def _sizes(system: System) -> Sizes:
    """MiB by the name of the process; processes with the same name are added."""
    sizes: Sizes = {}
    for process in leftovers.find(system):
        try:
            name, size = _name(process), process.memory_full_info().pss / 2**20
        except psutil.NoSuchProcess:
            continue
        sizes[name] = sizes.get(name, 0.0) + size
    return sizes


def _name(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    known = {
        "model_service_worker": "model workers",
        "org.pytorch.serve": "TorchServe (JVM)",
        "ui.server": "page",
        "ui.deliverer": "deliverer",
        "monitoring.exporter": "exporter",
        "supervisord": "supervisor",
        "ops.versions.controller": "ops.versions.controller",
        "torchserve": "TorchServe's launcher",
        "nginx": "gateway",
        "postgres": "PostgreSQL",
    }
    return next((name for words, name in known.items() if words in command), process.name())


def _results(counts: Sequence[int], sizes: Sequence[Sizes]) -> Results:
    names = sorted({name for each in sizes for name in each}, key=lambda name: -sizes[-1].get(name, 0.0))
    rows = [_row(name, [each.get(name, 0.0) for each in sizes]) for name in names]
    rows.append(_row("all", [sum(each.values()) for each in sizes]))
    columns = [
        "MiB (PSS) after predictions:",
        *(f"{count:,}" for count in counts),
        *("since first", "since second")[: len(counts)],
    ]
    summary = (
        f"{CLIENTS} clients post {counts[-1]:,} canvases of 320x320 to the gateway of a separate system. Memory should "
        "stay constant, because a process that grows with every request exhausts any machine. The JVM fills its limits "
        "of heap and compiled code (config.properties) within the first 10,000 to 20,000 predictions."
    )
    numbers = {"predictions": list(counts), "pss_mib": list(sizes)}
    return Results("memory", summary, [Table("Resident memory", columns, rows)], numbers)


def _row(name: str, sizes: Sequence[float]) -> list[str]:
    return [name, *(format_number(size) for size in sizes), *(_growth(size, sizes[-1]) for size in sizes[:2])]


def _growth(before: float, after: float) -> str:
    return f"{after / before - 1:+.1%}" if before else "new"
