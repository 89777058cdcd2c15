"""What monitoring costs: the CPU of a prediction with all of it, and with none of it, in alternating rounds."""

import shutil
import time

from benchmarks import load, running
from benchmarks.contenders import Contender
from benchmarks.drawings import canvases
from benchmarks.figures import median, ratio, shown, spread
from benchmarks.load import Target
from benchmarks.peers import PATH
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from ops import leftovers, monitoring, parts, supervisor
from ops.system import System

CLIENTS = 32
ROUNDS = 10
SECONDS = 10.0  # a scrape and an evaluation in each round
MOST = 1.05
WITH, WITHOUT = "with monitoring", "without"


def measure() -> Results:
    """Starts a system of each kind, predicts through their gateways in turn, and gives back the table."""
    if missing := monitoring.missing():
        raise StartError(f"{' and '.join(missing)} is not installed. {monitoring.HOW_TO_GET_THEM}")
    bodies = canvases()
    costs: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    with running.system(monitoring=True) as on, running.system(port=on.gateway_port + running.PORTS) as off:
        _switch_off(off)
        measured = {WITH: _contender(on), WITHOUT: _contender(off)}
        for number in range(ROUNDS):
            for name in sorted(measured, reverse=number % 2 == 1):
                one = measured[name]
                took = load.run(one.target, bodies, CLIENTS, SECONDS, cpu_s=one.cpu_s)
                costs[name].append(took.cpu_ms)
            say(
                f"round {number + 1} of {ROUNDS}: "
                + ", ".join(f"{name} {shown(cost[-1])} ms" for name, cost in costs.items())
            )
    return _results(costs)


def _switch_off(system: System) -> None:
    """Neither exporter nor access log, and workers that cannot open the files of their counters."""
    configuration = system.run / "gateway" / "nginx.conf"
    lines = configuration.read_text(encoding="utf-8").splitlines()
    lines = ["access_log off;" if line.strip().startswith("access_log syslog") else line for line in lines]
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with supervisor.remote(system) as interface:
        for part in ("exporter", "torchserve", "gateway"):
            interface.stopProcess(part)
        shutil.rmtree(system.metrics_files)
        system.metrics_files.touch()
        for part in ("torchserve", "gateway"):
            interface.startProcess(part)
    deadline = time.monotonic() + running.START_TIMEOUT_S
    while not all(part.answers(system) for part in parts.PARTS if part.name in ("torchserve", "gateway")):
        if time.monotonic() > deadline:
            raise StartError("The system without monitoring did not answer in time.")
        time.sleep(running.POLL_INTERVAL_S)


def _contender(system: System) -> Contender:
    """The system's gateway, and all of its processes: Prometheus keeps PostgreSQL and the page busy, too."""
    return Contender(Target("gateway", system.gateway_port, PATH), leftovers.find(system))


def _results(costs: dict[str, list[float]]) -> Results:
    found = ratio(costs[WITH], costs[WITHOUT])
    rows = [[name, shown(median(cost)), spread(cost)] for name, cost in costs.items()]
    rows.append(["ratio, round by round", shown(found), f"bar: at most {MOST}"])
    summary = (
        f"{CLIENTS} clients post canvases of 320x320 to the gateways of two systems in turn, {ROUNDS} rounds of "
        f"{SECONDS:g} s each. CPU is user and system time of all processes of a system. With monitoring: exporter, "
        "access log, times of the stages in the workers, Prometheus and Alertmanager. Without: none of these."
    )
    table = Table("CPU of a prediction", ["", "CPU ms, median", "of all rounds"], rows)
    return Results("monitoring", summary, [table], {"cpu_ms": costs, "ratio": found})
