"""Predictions: TorchServe through the gateway and directly, next to a no-op in it, to its peers and to another commit.

    make bench BENCH=predict BASE=d0ab407           # BASE is the commit to compare with, and may be left out
    make bench BENCH=predict BASE=d0ab407 QUICK=1   # the bars alone: of the peers FastAPI, and no memory; 6 minutes

All of them run at once and are asked in turn, round after round, so that what else the machine does meets each alike.
Memory is measured before, of each alone: at once they share the pages of torch.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import contenders, load, running, stages
from benchmarks.contenders import BASE, DIRECT, FASTAPI, GATEWAY, NOOP, NOOP_BATCHED, Contender
from benchmarks.drawings import canvases
from benchmarks.figures import median, percentile, ratio, shown, spread
from benchmarks.idle_server import idle_server
from benchmarks.load import LoadError, Measured, Target
from benchmarks.peers import PATH, WORKERS
from benchmarks.results import Results, Table
from benchmarks.running import say
from ops.versions.management import MODEL

CLIENTS = (1, 8, 32)
ROUNDS = 5
SECONDS = 2.0
ALTERNATIONS = 1500
MEMORY_AFTER = 1000
WARM_UP_S = 4.0  # the JVM compiles what it runs often
NOOPS = {"noop": NOOP, "noop-batched": NOOP_BATCHED}

Rounds = dict[int, dict[str, list[Measured]]]


def measure() -> Results:
    """Starts everything, measures, and gives back the tables."""
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
        say("one client, each asked in turn ...")
        by_name = {one.target.name: one.target for one in answering}
        asked = (GATEWAY, DIRECT, FASTAPI, NOOP)
        with contenders.awake(asked, answering):
            alone = load.alternate([by_name[name] for name in asked], bodies, ALTERNATIONS)
    say("the stages within a worker ...")
    return _results(rounds, ceiling, alone, stages.measure(bodies), memory)


@contextmanager
def _systems(
    base: Path | None, commit: str, port: int, archives: Sequence[Path]
) -> Iterator[list[Contender]]:
    """This system's contenders, with those of the archives, and the base's TorchServe."""
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
    """MiB (PSS) of each contender by its name, alone, after MEMORY_AFTER predictions."""
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
    say(f"{contender.target.name}: {shown(mib)} MiB alone after {MEMORY_AFTER:,} predictions")
    return mib


def _expect_same_answers(targets: Sequence[Target], bodies: Sequence[bytes]) -> None:
    """Raises LoadError unless all of them say the same: else they would not do the same work."""
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
            # Every other round backwards: whoever comes after another finds the caches as that left them.
            for one in answering if number % 2 == 0 else list(reversed(answering)):
                with contenders.awake([one.target.name], answering):
                    took = load.run(one.target, bodies, clients, SECONDS, cpu_s=one.cpu_s)
                measured[clients][one.target.name].append(took)
        best = measured[max(CLIENTS)]
        say(
            f"round {number + 1} of {ROUNDS}, {max(CLIENTS)} clients: "
            + ", ".join(f"{name} {shown(best[name][-1].per_second)}/s" for name in best)
        )
    return measured


def _results(
    rounds: Rounds,
    ceiling: Measured,
    alone: dict[str, list[float]],
    by_stage: dict[str, list[float]],
    memory: dict[str, float],
) -> Results:
    tables = [
        _bars(rounds, alone),
        *(_clients(clients, rounds[clients], memory) for clients in CLIENTS),
        _one_request(alone, by_stage),
    ]
    summary = (
        f"{len(CLIENTS)} numbers of clients, {ROUNDS} rounds of {SECONDS:g} s for each contender, one after the other "
        f"within a round. Every client keeps its connection and posts the next of {len(canvases())} canvases of "
        f"320x320 (PNG, 5 to 14 KB) when it has its answer. Every server has {WORKERS} workers of one thread with the "
        "same predictor, and was seen to give the same answers; a base has its own. The peers are set as their "
        "documentation says (benchmarks/peers/); of FastAPI each worker has a port, and the same number of clients. "
        "CPU is user and system time of all processes of a contender. Memory is PSS, of each alone after "
        f"{MEMORY_AFTER:,} predictions. All share the machine's cores with the load generator, which counts for none, "
        f"and which reaches {shown(ceiling.per_second)} requests a second at an nginx that answers at once."
    )
    return Results("predict", summary, tables, _numbers(rounds, ceiling, alone, by_stage, memory))


def _clients(clients: int, by_name: dict[str, list[Measured]], memory: dict[str, float]) -> Table:
    rival = _rates(by_name[FASTAPI])
    rows = []
    for name, rounds in by_name.items():
        rates = _rates(rounds)
        rows.append(
            [
                name,
                shown(median(rates)),
                spread(rates),
                shown(ratio(rates, rival)),
                shown(_median_of(50, rounds)),
                shown(_median_of(99, rounds)),
                shown(median(_costs(rounds))),
                shown(memory[name]) if name in memory else "",
                f"{sum(len(one.latencies_ms) for one in rounds):,}",
            ]
        )
    columns = [
        "", "requests/s", "of all rounds", "times FastAPI", "p50 ms", "p99 ms", "CPU ms per prediction", "MiB", "n",
    ]  # fmt: skip
    return Table(f"{clients} client{'s' * (clients > 1)}", columns, rows, "Medians over the rounds.")


def _bars(rounds: Rounds, alone: dict[str, list[float]]) -> Table:
    ours = {clients: by_name[DIRECT] for clients, by_name in rounds.items()}
    rival = {clients: by_name[FASTAPI] for clients, by_name in rounds.items()}
    rates = {name: _rates(measured) for name, measured in rounds[32].items()}
    p50 = [_p50s(rounds[1][name]) for name in (DIRECT, FASTAPI)]
    gateway = shown(median(_differences(alone[GATEWAY], alone[DIRECT])))
    rows = [
        ["p50, 1 client, of FastAPI's", shown(ratio(*p50)), "at most 1.4", "1.1"],
        [
            "throughput, 8 clients, of FastAPI's",
            shown(ratio(_rates(ours[8]), _rates(rival[8]))),
            "0.9",
            "1.2",
        ],
        ["throughput, 32 clients, of FastAPI's", shown(ratio(rates[DIRECT], rates[FASTAPI])), "1.0", "1.5"],
        [
            "throughput, 32 clients, of TorchServe's batched no-op",
            shown(ratio(rates[DIRECT], rates[NOOP_BATCHED])),
            "0.15",
            "0.3",
        ],
        ["what the gateway adds, 1 client, ms", gateway, "at most 0.5", ""],
    ]
    for name in set(rounds[32]) - {*contenders.PEERS, GATEWAY, DIRECT, NOOP, NOOP_BATCHED}:
        cost = ratio(_costs(ours[32]), _costs(rounds[32][name]))
        rows[:0] = [
            [f"throughput, 32 clients, of {name}", shown(ratio(rates[DIRECT], rates[name])), "1.6", "2.5"],
            [f"CPU ms per prediction, 32 clients, of {name}", shown(cost), "at most 0.6", "0.4"],
        ]
    return Table("The bars", ["TorchServe's", "measured", "bar", "reach for"], rows)


def _one_request(alone: dict[str, list[float]], by_stage: dict[str, list[float]]) -> Table:
    p50 = {stage: median(times) for stage, times in by_stage.items()}
    parts: list[tuple[str, float, Sequence[float]]] = [
        ("decode the PNG", p50["decode"], by_stage["decode"]),
        ("find the ink", p50["ink"], by_stage["ink"]),
        ("scale and centre", p50["ink, scale and centre"] - p50["ink"], by_stage["ink, scale and centre"]),
        ("the net and what its answer needs", p50["net, one alone"], by_stage["net, one alone"]),
        ("JSON", p50["JSON"], by_stage["JSON"]),
        ("TorchServe itself", median(alone[NOOP]), alone[NOOP]),
        (
            "nginx",
            median(_differences(alone[GATEWAY], alone[DIRECT])),
            _differences(alone[GATEWAY], alone[DIRECT]),
        ),
    ]
    parts = [*parts, ("all of these", sum(took for _, took, _ in parts), [])]
    parts.append(("seen by the client, through the gateway", median(alone[GATEWAY]), alone[GATEWAY]))
    parts.append(
        ("the net, each of a batch of eight", p50["net, each of eight"], by_stage["net, each of eight"])
    )
    rows = [[name, shown(took), f"{len(times):,}" if times else ""] for name, took, times in parts]
    note = (
        "Medians. Decode to JSON were timed in a process of their own; TorchServe and nginx by one client "
        "that posts each drawing to each contender in turn, of whose answers pairs are compared."
    )
    return Table("Where the time of one request goes", ["", "ms", "n"], rows, note)


def _median_of(percent: float, rounds: Sequence[Measured]) -> float:
    return median([percentile(one.latencies_ms, percent) for one in rounds])


def _p50s(rounds: Sequence[Measured]) -> list[float]:
    return [percentile(one.latencies_ms, 50) for one in rounds]


def _rates(rounds: Sequence[Measured]) -> list[float]:
    return [one.per_second for one in rounds]


def _costs(rounds: Sequence[Measured]) -> list[float]:
    return [one.cpu_ms for one in rounds]


def _differences(longer: Sequence[float], shorter: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(longer, shorter, strict=True)]


def _numbers(
    rounds: Rounds,
    ceiling: Measured,
    alone: dict[str, list[float]],
    by_stage: dict[str, list[float]],
    memory: dict[str, float],
) -> dict[str, object]:
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
            for clients, by_name in rounds.items()
        },
        "memory_mib": memory,
        "load_generator_per_second": ceiling.per_second,
        "one_client_p50_ms": {name: median(times) for name, times in alone.items()},
        "stage_p50_ms": {stage: median(times) for stage, times in by_stage.items()},
    }
