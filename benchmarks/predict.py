"""Predictions: TorchServe through the gateway and directly, next to a no-op in it and to FastAPI.

All of them run at once and are asked in turn, round after round, so that what else the machine does meets each alike.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks import load, running, stages
from benchmarks.drawings import canvases
from benchmarks.figures import median, percentile, ratio, shown, spread
from benchmarks.idle_server import idle_server
from benchmarks.load import LoadError, Measured, Target
from benchmarks.results import Results, Table
from benchmarks.running import say

CLIENTS = (1, 8, 32)
ROUNDS = 5
SECONDS = 2.0
ALTERNATIONS = 1500
WARM_UP_S = 4.0  # the JVM compiles what it runs often
WORKERS = 2  # TorchServe's for the model (handler/model-config.yaml), and so the rival's
PATH = "/predictions/mnist"
GATEWAY, DIRECT, RIVAL = "gateway + TorchServe", "TorchServe", "FastAPI + uvicorn"
RIVAL_OPTIONS = ("--loop", "uvloop", "--http", "httptools", "--no-access-log")
NOOP, NOOP_BATCHED = "no-op in TorchServe, unbatched", "no-op in TorchServe, batched"


Rounds = dict[int, dict[str, list[Measured]]]


def measure() -> Results:
    """Starts everything, measures, and gives back the tables."""
    bodies = canvases()
    port = running.first_port(2 * running.PORTS) + running.PORTS
    with (
        running.noop_archives(WORKERS) as archives,
        running.system(*archives) as system,
        _rivals(port) as rivals,
        idle_server(port + WORKERS) as idle_port,
    ):
        for model in ("noop", "noop-batched"):
            running.register(system, model)
        answering = [
            Target(GATEWAY, system.gateway_port, PATH),
            Target(DIRECT, system.inference_port, PATH),
            Target(RIVAL, rivals, PATH),
        ]
        targets = [
            *answering,
            Target(NOOP, system.inference_port, "/predictions/noop"),
            Target(NOOP_BATCHED, system.inference_port, "/predictions/noop-batched"),
        ]
        _expect_same_answers(answering, bodies)
        say("warming up ...")
        for target in targets:
            load.run(target, bodies, max(CLIENTS), WARM_UP_S)
        rounds = _rounds(targets, bodies)
        ceiling = load.run(Target("idle nginx", idle_port, PATH), bodies, max(CLIENTS), SECONDS)
        say("one client, each asked in turn ...")
        alone = load.alternate(targets, bodies, ALTERNATIONS)
    say("the stages within a worker ...")
    return _results(rounds, ceiling, alone, stages.measure(bodies))


@contextmanager
def _rivals(first_port: int) -> Iterator[tuple[int, ...]]:
    """As many of the rival as there are workers, and the ports they listen at.

    Under one port (`uvicorn --workers 2`) whichever is awake accepts, and so one often gets all clients that keep their
    connection, and the other idles: seen in three runs of three. Divided evenly they answer as much as they can.
    """
    ports = tuple(range(first_port, first_port + WORKERS))
    with ExitStack() as stack:
        for port in ports:
            command = [
                sys.executable,
                "-m",
                "uvicorn",
                "benchmarks.rival:app",
                "--port",
                str(port),
                *RIVAL_OPTIONS,
            ]
            stack.enter_context(
                running.process(command, f"http://127.0.0.1:{port}/docs", OMP_NUM_THREADS="1")
            )
        yield ports


def _expect_same_answers(targets: Sequence[Target], bodies: Sequence[bytes]) -> None:
    """Raises LoadError unless all of them say the same: else they would not do the same work."""
    answers = []
    for target in targets:
        read = [json.loads(answer) for answer in load.ask(target, bodies)]
        answers.append([(answer["digit"], answer["input"]) for answer in read])
    for target, given in zip(targets, answers, strict=True):
        if given != answers[0]:
            raise LoadError(f"{target.name} and {targets[0].name} answer the same drawings differently.")


def _rounds(targets: Sequence[Target], bodies: Sequence[bytes]) -> Rounds:
    measured: Rounds = {clients: {target.name: [] for target in targets} for clients in CLIENTS}
    for number in range(ROUNDS):
        for clients in CLIENTS:
            # Every other round backwards: whoever comes after another finds the caches as that left them.
            for target in targets if number % 2 == 0 else list(reversed(targets)):
                measured[clients][target.name].append(load.run(target, bodies, clients, SECONDS))
        best = measured[max(CLIENTS)]
        say(
            f"round {number + 1} of {ROUNDS}, {max(CLIENTS)} clients: "
            + ", ".join(f"{name} {shown(best[name][-1].per_second)}/s" for name in best)
        )
    return measured


def _results(
    rounds: Rounds, ceiling: Measured, alone: dict[str, list[float]], by_stage: dict[str, list[float]]
) -> Results:
    tables = [
        _bars(rounds, alone),
        *(_clients(clients, rounds[clients]) for clients in CLIENTS),
        _one_request(alone, by_stage),
    ]
    summary = (
        f"{len(CLIENTS)} numbers of clients, {ROUNDS} rounds of {SECONDS:g} s for each contender, one after the other "
        f"within a round. Every client keeps its connection and posts the next of {len(canvases())} canvases of "
        f"320x320 (PNG, 5 to 14 KB) when it has its answer. TorchServe and FastAPI have {WORKERS} workers each, of one "
        "thread, with the same predictor, and were seen to give the same answers; FastAPI runs under uvicorn with "
        "uvloop and httptools, without access log, and predicts in the event loop; each of its workers has a port, and "
        "the same number of clients. All share the machine's cores with the load generator, which reaches "
        f"{shown(ceiling.per_second)} requests a second at an nginx that answers at once."
    )
    return Results("predict", summary, tables, _numbers(rounds, ceiling, alone, by_stage))


def _clients(clients: int, by_name: dict[str, list[Measured]]) -> Table:
    rival = _rates(by_name[RIVAL])
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
                f"{sum(len(one.latencies_ms) for one in rounds):,}",
            ]
        )
    columns = ["", "requests/s", "of all rounds", "times FastAPI", "p50 ms", "p99 ms", "n"]
    return Table(f"{clients} client{'s' * (clients > 1)}", columns, rows, "Medians over the rounds.")


def _bars(rounds: Rounds, alone: dict[str, list[float]]) -> Table:
    at_32 = {name: _rates(measured) for name, measured in rounds[32].items()}
    one_p50 = {name: _median_of(50, measured) for name, measured in rounds[1].items()}
    bar = f"{shown(one_p50[RIVAL] + one_p50[NOOP_BATCHED])} (FastAPI + batched no-op)"
    of_rival, of_noop = (shown(ratio(at_32[DIRECT], at_32[name])) for name in (RIVAL, NOOP_BATCHED))
    gateway = shown(median(_differences(alone[GATEWAY], alone[DIRECT])))
    rows = [
        ["TorchServe's throughput, of FastAPI's, 32 clients", of_rival, "1.3", "1.5"],
        ["TorchServe's throughput, of its batched no-op's, 32 clients", of_noop, "", "0.5"],
        ["TorchServe's p50, 1 client, ms", shown(one_p50[DIRECT]), bar, f"{shown(one_p50[RIVAL])} (FastAPI)"],
        ["what the gateway adds, 1 client, ms", gateway, "0.5", ""],
    ]
    return Table("The bars", ["", "measured", "bar", "reach for"], rows)


def _one_request(alone: dict[str, list[float]], by_stage: dict[str, list[float]]) -> Table:
    p50 = {stage: median(times) for stage, times in by_stage.items()}
    parts: list[tuple[str, float, Sequence[float]]] = [
        ("decode the PNG", p50["decode"], by_stage["decode"]),
        ("find the ink", p50["ink"], by_stage["ink"]),
        ("scale and centre", p50["ink, scale and centre"] - p50["ink"], by_stage["ink, scale and centre"]),
        ("the net and what its answer needs", p50["net, one alone"], by_stage["net, one alone"]),
        ("JSON", p50["JSON"], by_stage["JSON"]),
        ("TorchServe itself, without waiting for a batch", median(alone[NOOP]), alone[NOOP]),
        (
            "TorchServe's wait for others of a batch",
            median(_differences(alone[NOOP_BATCHED], alone[NOOP])),
            _differences(alone[NOOP_BATCHED], alone[NOOP]),
        ),
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
        "Medians. Decode to JSON were timed in a process of their own; TorchServe, its wait and nginx by one client "
        "that posts each drawing to each contender in turn, of whose answers pairs are compared."
    )
    return Table("Where the time of one request goes", ["", "ms", "n"], rows, note)


def _median_of(percent: float, rounds: Sequence[Measured]) -> float:
    return median([percentile(one.latencies_ms, percent) for one in rounds])


def _rates(rounds: Sequence[Measured]) -> list[float]:
    return [one.per_second for one in rounds]


def _differences(longer: Sequence[float], shorter: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(longer, shorter, strict=True)]


def _numbers(
    rounds: Rounds, ceiling: Measured, alone: dict[str, list[float]], by_stage: dict[str, list[float]]
) -> dict[str, object]:
    return {
        "clients": {
            clients: {
                name: [
                    {
                        "per_second": one.per_second,
                        "p50_ms": percentile(one.latencies_ms, 50),
                        "p99_ms": percentile(one.latencies_ms, 99),
                        "n": len(one.latencies_ms),
                    }
                    for one in measured
                ]
                for name, measured in by_name.items()
            }
            for clients, by_name in rounds.items()
        },
        "load_generator_per_second": ceiling.per_second,
        "one_client_p50_ms": {name: median(times) for name, times in alone.items()},
        "stage_p50_ms": {stage: median(times) for stage, times in by_stage.items()},
    }
