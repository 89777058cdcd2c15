"""The cost of monitoring: CPU time of a prediction with and without it, in alternating rounds."""

from contextlib import suppress

import psutil

from benchmarks import load, running
from benchmarks.figures import format_number, format_range, median, ratio
from benchmarks.load import Target
from benchmarks.peers import PATH
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from fixtures.canvas_png import canvases
from ops.native import leftovers, monitoring, parts, supervisor
from ops.system import System

CLIENTS = 32
ROUNDS = 10
SECONDS = 10.0  # a scrape and an evaluation in each round
MAXIMUM_RATIO = 1.05
WITH, WITHOUT = "with monitoring", "without"
MONITORING_PARTS = ("exporter", "prometheus", "alertmanager")
LOG, OFF = "access_log syslog", "access_log off; # "


def measure() -> Results:
    """Start a system, measure predictions with and without monitoring in turn, and return the table."""
    if missing := monitoring.missing():
        raise StartError(f"{' and '.join(missing)} is not installed. {monitoring.INSTALL_HINT}")
    bodies = canvases()
    costs: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    with running.system(monitoring=True) as system:
        target = Target("gateway", system.gateway_port, PATH)
        for number in range(ROUNDS):
            for name in sorted(costs, reverse=number % 2 == 1):
                _switch(system, on=name == WITH)
                took = load.run(target, bodies, CLIENTS, SECONDS, cpu_s=lambda: _cpu_s(system))
                costs[name].append(took.cpu_ms)
            latest = ", ".join(f"{name} {format_number(cost[-1])} ms" for name, cost in costs.items())
            say(f"round {number + 1} of {ROUNDS}: {latest}")
    return _results(costs)


def _switch(system: System, on: bool) -> None:
    """Start or stop the monitoring programs and the gateway's access log."""
    configuration = system.run / "gateway" / "nginx.conf"
    text = configuration.read_text(encoding="utf-8").replace(OFF + LOG, LOG)
    configuration.write_text(text if on else text.replace(LOG, OFF + LOG), encoding="utf-8")
    monitoring_parts = [part for part in parts.list_parts(system) if part.name in MONITORING_PARTS]
    with supervisor.remote(system) as interface:
        interface.signalProcess("gateway", "HUP")
        for part in monitoring_parts:
            if on:
                supervisor.start_part(system, part.name)
            elif interface.getProcessInfo(part.name)["pid"]:
                interface.stopProcess(part.name)
    if on:
        running.wait_until(
            lambda: all(part.is_healthy(system) for part in monitoring_parts),
            lambda: "Exporter, Prometheus and Alertmanager did not answer",
        )


def _cpu_s(system: System) -> float:
    """CPU seconds of all processes, because Prometheus causes work in PostgreSQL and the page, too."""
    total = 0.0
    for process in leftovers.find(system):
        with suppress(psutil.NoSuchProcess):
            # User and system time of the process and of its ended children.
            total += sum(process.cpu_times()[:4])
    return total


def _results(costs: dict[str, list[float]]) -> Results:
    found = ratio(costs[WITH], costs[WITHOUT])
    rows = [[name, format_number(median(cost)), format_range(cost)] for name, cost in costs.items()]
    rows.append(["ratio, round by round", format_number(found), f"bar: at most {MAXIMUM_RATIO}"])
    summary = (
        f"{CLIENTS} clients post canvases of 320x320 to the gateway of a system, in {ROUNDS} rounds of {SECONDS:g} s "
        "with monitoring and as many without it. CPU is the user and system time of all processes. Monitoring means "
        "exporter, access log, Prometheus and Alertmanager. Both cases include the measurement of stages in the "
        "workers, 6 us per prediction."
    )
    table = Table("CPU of a prediction", ["", "CPU ms, median", "of all rounds"], rows)
    return Results("monitoring", summary, [table], {"cpu_ms": costs, "ratio": found})
