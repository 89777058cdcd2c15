"""Predictions: TorchServe with and without the gateway, next to a no-op model, other servers and another commit.

    make bench BENCH=predict BASE=d0ab407           # BASE, optional: the commit to compare with
    make bench BENCH=predict BASE=d0ab407 QUICK=1   # only the bars: no memory, and FastAPI as the only peer; 6 minutes

All contenders run at the same time and are measured in turn, so that other load affects each equally. Memory is
measured before, with each contender alone, because contenders that run together share the pages of torch.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import contenders, load, running, stages
from benchmarks.contenders import BASE, DIRECT, FASTAPI, GATEWAY, NOOP, NOOP_BATCHED, Contender
from benchmarks.figures import format_number, format_range, median, percentile, ratio
from benchmarks.idle_server import idle_server
from benchmarks.load import LoadError, Measured, Target
from benchmarks.peers import PATH, WORKERS
from benchmarks.results import Results, Table
from benchmarks.running import say
from fixtures.canvas_png import canvases
from ops.versions.management import MODEL

CLIENTS = (1, 8, 32)
ROUNDS = 5
SECONDS = 2.0
ALTERNATIONS = 1500
MEMORY_AFTER = 1000
WARM_UP_S = 4.0  # in which the JVM compiles frequent code
NOOPS = {"noop": NOOP, "noop-batched": NOOP_BATCHED}

Rounds = dict[int, dict[str, list[Measured]]]
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Measurements:
    """`rounds` by number of clients and contender; times in ms: of one client by contender, and by stage."""

    rounds: Rounds
    load_generator_per_second: float
    alone: Times
    by_stage: Times
    memory_mib: dict[str, float]


def measure() -> Results:
    """Start all contenders, measure, and return the tables."""
    bodies = canvases()
    commit = os.environ.get("BASE", "")
    quick = bool(os.environ.get("QUICK"))
    with ExitStack() as stack:
        base = stack.enter_context(running.checkout(commit)) if commit else None
        memory = {} if quick else _memory(base, commit, bodies)
        port = running.first_port(4 * running.PORTS)
        archives = stack.enter_context(running.noop_archives(WORKERS))
        answering = list(stack.enter_context(_systems(base, commit, port, archives)))
        port += 2 * running.PORTS
        for name in (FASTAPI,) if quick else contenders.PEERS:
            answering.append(stack.enter_context(contenders.peer(name, port)))
            port += contenders.SERVERS.get(name, 1)
        predicting = [one for one in answering if one.target.name not in NOOPS.values()]
        _expect_same_answers([one.target for one in predicting if one.target.path == PATH], bodies)
        idle_port = stack.enter_context(idle_server(port))
        say("warming up ...")
        for contender in answering:
            load.run(contender.target, bodies, max(CLIENTS), WARM_UP_S)
        rounds = _rounds(answering, bodies)
        ceiling = load.run(Target("idle nginx", idle_port, PATH), bodies, max(CLIENTS), SECONDS)
        say("one client, contenders in turn ...")
        by_name = {one.target.name: one.target for one in answering}
        names = (GATEWAY, DIRECT, FASTAPI, NOOP)
        with contenders.suspend_others(names, answering):
            alone = load.alternate([by_name[name] for name in names], bodies, ALTERNATIONS)
    say("the stages in a worker ...")
    return _results(Measurements(rounds, ceiling.per_second, alone, stages.measure(bodies), memory))


@contextmanager
def _systems(
    base: Path | None, commit: str, port: int, archives: Sequence[Path]
) -> Iterator[list[Contender]]:
    """The contenders of this system and of its archives, and the TorchServe of the base."""
    with ExitStack() as stack:
        system = stack.enter_context(running.system(*archives, port=port))
        for archive in archives:
            running.register(system, archive.stem)
        found = [contenders.gateway(system), contenders.model(system, DIRECT, MODEL)]
        if base:
            old = stack.enter_context(running.system(port=port + running.PORTS, checkout=base))
            found.append(contenders.torchserve(old, BASE.format(commit=commit)))
        yield found + [contenders.model(system, NOOPS[archive.stem], archive.stem) for archive in archives]


def _memory(base: Path | None, commit: str, bodies: Sequence[bytes]) -> dict[str, float]:
    """MiB (PSS) of each contender, running alone, after MEMORY_AFTER predictions."""
    found = {}
    port = running.first_port(2 * running.PORTS)
    for name in contenders.PEERS:
        with contenders.peer(name, port) as contender:
            found[name] = _memory_of(contender, bodies)
    with _systems(None, "", port, []) as [through_gateway, direct]:
        found[DIRECT] = _memory_of(direct, bodies)
        found[GATEWAY] = through_gateway.pss_mib()
    if base:
        with running.system(port=port, checkout=base) as old:
            contender = contenders.torchserve(old, BASE.format(commit=commit))
            found[contender.target.name] = _memory_of(contender, bodies)
    return found


def _memory_of(contender: Contender, bodies: Sequence[bytes]) -> float:
    load.run(contender.target, bodies, 8, 60.0, warm_up_s=0, most=MEMORY_AFTER)
    mib = contender.pss_mib()
    say(f"{contender.target.name}: {format_number(mib)} MiB alone after {MEMORY_AFTER:,} predictions")
    return mib


def _expect_same_answers(targets: Sequence[Target], bodies: Sequence[bytes]) -> None:
    """Raises LoadError unless all targets return the same answers, and so do the same work."""
    answers = []
    for target in targets:
        read = [json.loads(answer) for answer in load.ask(target, bodies)]
        answers.append([(answer["digit"], answer["input"]) for answer in read])
    for target, given in zip(targets, answers, strict=True):
        if given != answers[0]:
            raise LoadError(f"{target.name} and {targets[0].name} answer the same drawings differently.")


def _rounds(answering: Sequence[Contender], bodies: Sequence[bytes]) -> Rounds:
    measured: Rounds = {clients: {one.target.name: [] for one in answering} for clients in CLIENTS}
    for number in range(ROUNDS):
        for clients in CLIENTS:
            # Every other round in reverse order, because each contender changes the caches for the next one.
            for one in answering if number % 2 == 0 else list(reversed(answering)):
                with contenders.suspend_others([one.target.name], answering):
                    took = load.run(one.target, bodies, clients, SECONDS, cpu_s=one.cpu_s)
                measured[clients][one.target.name].append(took)
        best = measured[max(CLIENTS)]
        latest = ", ".join(f"{name} {format_number(best[name][-1].per_second)}/s" for name in best)
        say(f"round {number + 1} of {ROUNDS}, {max(CLIENTS)} clients: {latest}")
    return measured


def _results(found: Measurements) -> Results:
    tables = [
        _bars(found.rounds, found.alone),
        *(_clients(clients, found.rounds[clients], found.memory_mib) for clients in CLIENTS),
        _one_request(found.alone, found.by_stage),
    ]
    summary = (
        f"{len(CLIENTS)} numbers of clients, {ROUNDS} rounds of {SECONDS:g} s for each contender, one after the other "
        f"in a round. Every client keeps its connection and posts the next of {len(canvases())} canvases of 320x320 "
        f"(PNG, 5 to 14 KB) after each answer. Every server has {WORKERS} workers of one thread with the same "
        "predictor and gave the same answers; a base has its own predictor. The peers are configured by their "
        "documentation (benchmarks/peers/); each worker of FastAPI has a port and the same number of clients. CPU is "
        "the user and system time of all processes of a contender. Memory is the PSS of each contender alone after "
        f"{MEMORY_AFTER:,} predictions. All share the machine's cores with the load generator, whose CPU time is not "
        f"included. It reaches {format_number(found.load_generator_per_second)} requests a second with an idle nginx."
    )
    return Results("predict", summary, tables, _numbers(found))


def _clients(clients: int, by_name: dict[str, list[Measured]], memory: dict[str, float]) -> Table:
    rival = _rates(by_name[FASTAPI])
    rows = []
    for name, rounds in by_name.items():
        rates = _rates(rounds)
        p50, p99 = (median(_percentiles(percent, rounds)) for percent in (50, 99))
        numbers = (ratio(rates, rival), p50, p99, median(_costs(rounds)))
        mib = format_number(memory[name]) if name in memory else ""
        count = f"{sum(len(one.latencies_ms) for one in rounds):,}"
        rows.append(
            [
                name,
                format_number(median(rates)),
                format_range(rates),
                *map(format_number, numbers),
                mib,
                count,
            ]
        )
    columns = [
        "", "requests/s", "of all rounds", "times FastAPI", "p50 ms", "p99 ms", "CPU ms per prediction", "MiB", "n",
    ]  # fmt: skip
    return Table(f"{clients} client{'s' * (clients > 1)}", columns, rows, "Medians over the rounds.")


def _bars(rounds: Rounds, alone: Times) -> Table:
    def compare(figure: Callable[[Sequence[Measured]], list[float]], clients: int, rival: str) -> float:
        return ratio(figure(rounds[clients][DIRECT]), figure(rounds[clients][rival]))

    gateway = median(_differences(alone[GATEWAY], alone[DIRECT]))
    bars = [
        ("p50, 1 client, of FastAPI's", compare(partial(_percentiles, 50), 1, FASTAPI), "at most 1.4", "1.1"),
        ("throughput, 8 clients, of FastAPI's", compare(_rates, 8, FASTAPI), "0.9", "1.2"),
        ("throughput, 32 clients, of FastAPI's", compare(_rates, 32, FASTAPI), "1.0", "1.5"),
        ("throughput, 32 clients, of the batched no-op", compare(_rates, 32, NOOP_BATCHED), "0.15", "0.3"),
        ("added by the gateway, 1 client, ms", gateway, "at most 0.5", ""),
    ]
    for name in set(rounds[32]) - {*contenders.PEERS, GATEWAY, DIRECT, NOOP, NOOP_BATCHED}:
        bars[:0] = [
            (f"throughput, 32 clients, of {name}", compare(_rates, 32, name), "1.6", "2.5"),
            (f"CPU per prediction, 32 clients, of {name}", compare(_costs, 32, name), "at most 0.6", "0.4"),
        ]
    rows = [[name, format_number(value), bar, goal] for name, value, bar, goal in bars]
    return Table("The bars", ["TorchServe's", "measured", "bar", "goal"], rows)


def _one_request(alone: Times, by_stage: Times) -> Table:
    times = {
        "decode the PNG": by_stage["decode"],
        "find the ink": by_stage["ink"],
        "scale and centre": by_stage["ink, scale and centre"],
        "network, softmax and answer": by_stage["network, one image"],
        "JSON": by_stage["JSON"],
        "TorchServe itself": alone[NOOP],
        "nginx": _differences(alone[GATEWAY], alone[DIRECT]),
    }
    parts = {name: median(values) for name, values in times.items()}
    parts["scale and centre"] -= parts["find the ink"]  # measured together
    rows = [[name, format_number(took), f"{len(times[name]):,}"] for name, took in parts.items()]
    rows.append(["sum", format_number(sum(parts.values())), ""])
    for name, values in (
        ("measured by the client, through the gateway", alone[GATEWAY]),
        ("network, each of a batch of eight", by_stage["network, each of eight"]),
    ):
        rows.append([name, format_number(median(values)), f"{len(values):,}"])
    note = (
        "Medians. Decode to JSON were timed in a separate process. TorchServe and nginx were timed by one client that "
        "posts each drawing to each contender in turn; nginx is the difference of pairs."
    )
    return Table("Time of one request by stage", ["", "ms", "n"], rows, note)


def _percentiles(percent: float, rounds: Sequence[Measured]) -> list[float]:
    return [percentile(one.latencies_ms, percent) for one in rounds]


def _rates(rounds: Sequence[Measured]) -> list[float]:
    return [one.per_second for one in rounds]


def _costs(rounds: Sequence[Measured]) -> list[float]:
    return [one.cpu_ms for one in rounds]


def _differences(longer: Sequence[float], shorter: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(longer, shorter, strict=True)]


def _numbers(found: Measurements) -> dict[str, object]:
    return {
        "clients": {
            clients: {
                name: [
                    {
                        "per_second": one.per_second,
                        "p50_ms": percentile(one.latencies_ms, 50),
                        "p99_ms": percentile(one.latencies_ms, 99),
                        "cpu_ms": one.cpu_ms,
                        "n": len(one.latencies_ms),
                    }
                    for one in measured
                ]
                for name, measured in by_name.items()
            }
            for clients, by_name in found.rounds.items()
        },
        "memory_mib": found.memory_mib,
        "load_generator_per_second": found.load_generator_per_second,
        "one_client_p50_ms": {name: median(times) for name, times in found.alone.items()},
        "stage_p50_ms": {stage: median(times) for stage, times in found.by_stage.items()},
    }
