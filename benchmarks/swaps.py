"""Swaps under load: the effect of version changes on 20 clients that predict without a pause.

Five swaps, two rollbacks and two canary changes run one after the other, each by the command behind `make`. The
benchmark checks that every answer arrives, its latency, and that its version was active at that time.
"""

import re
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from benchmarks import load, running
from benchmarks.figures import format_number, format_range, median, percentile
from benchmarks.load import Target
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from fixtures import archives
from fixtures.canvas_png import canvases
from ops.system import System
from ops.versions.management import Management
from ops.versions.state import RELEASED, Versions, archive_name

CLIENTS = 20
ROUNDS = 3
BEFORE_S = 20.0
# Time to unregister old versions, so that the next candidate fits in memory.
SETTLE_TIMEOUT_S = 60.0
CHANGES: tuple[tuple[str, ...], ...] = (
    ("swap", "7.1"),
    ("swap", "7.2"),
    ("rollback",),
    ("canary", "7.3", "10"),
    ("canary", "7.3", "0"),
    ("swap", "7.4"),
    ("swap", "7.2"),
    ("rollback",),
    ("swap", RELEASED),  # the initial state of the next round
)
# The bars. A swap waits for its workers; a rollback does not wait and should seem immediate.
SWAP_S, ROLLBACK_S, TIMES_P99 = 15.0, 2.0, 3.0
COLUMNS = (
    "round", "answers", "failed", "by an inactive version", "p50 ms before", "during", "p99 ms before", "during",
    "times",
)  # fmt: skip
_VERSION = re.compile(rb'"model_version": ?"([^"]*)"')


@dataclass(frozen=True)
class Change:
    """A command, its start and end by time.perf_counter, and the versions that answer after it."""

    words: Sequence[str]
    begun: float
    ended: float
    served: frozenset[str]

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Round:
    """One pass through CHANGES."""

    before_ms: list[float] = field(default_factory=list)
    during_ms: list[float] = field(default_factory=list)  # answers while a command ran
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    inactive: list[str] = field(default_factory=list)  # versions of answers by an inactive version
    changes: list[Change] = field(default_factory=list)

    @property
    def times_p99(self) -> float:
        return percentile(self.during_ms, 99) / percentile(self.before_ms, 99)


def measure() -> Results:
    """Start a system, change its versions under load, and return the effect on the clients."""
    with running.system() as system:
        released = system.model_store / archive_name(RELEASED)
        for version in sorted({words[1] for words in CHANGES if len(words) > 1} - {RELEASED}):
            archives.copy(released, version)
        rounds = []
        for number in range(ROUNDS):
            rounds.append(_round(system))
            last = rounds[-1]
            say(
                f"round {number + 1} of {ROUNDS}: {last.answers:,} answers, {len(last.failures)} failed, "
                f"{len(last.inactive)} by an inactive version, p99 {last.times_p99:.2f} times that before"
            )
    return _results(rounds)


def _round(system: System) -> Round:
    found, errors = Round(), list[StartError]()

    def change_all() -> None:
        try:
            for words in CHANGES:
                found.changes.append(_change(system, words))
                _settle(system)
        except StartError as error:
            errors.append(error)

    target = Target("gateway", system.gateway_port, "/predictions/mnist")
    changer = threading.Thread(target=change_all)
    every: list[tuple[float, float, str]] = []
    with closing(load.stream(target, canvases(), CLIENTS)) as answers:
        begin = time.perf_counter()
        for answer in answers:
            outcome = str(answer.error) if answer.error else _version(answer.body)
            every.append((answer.at - answer.milliseconds / 1000, answer.at, outcome))
            if answer.error:
                found.failures.append(outcome)
            if changer.ident is None and answer.at > begin + BEFORE_S:
                changer.start()
            elif changer.ident and not changer.is_alive():
                break
    if errors:
        raise errors[0]
    _judge(found, every)
    return found


def _change(system: System, words: Sequence[str]) -> Change:
    begun = time.perf_counter()
    running.ops(system, *words)
    ended = time.perf_counter()
    return Change(words, begun, ended, frozenset(Versions.read(system.versions).served()))


def _settle(system: System) -> None:
    """Wait until only the served versions and the previous one are registered."""
    versions = Versions.read(system.versions)
    wanted = {*versions.served(), versions.previous} - {None}
    registered = Management(system.management_address).list_versions
    running.wait_until(
        lambda: set(registered()) == wanted,
        lambda: f"{set(registered())} are registered instead of {wanted}",
        SETTLE_TIMEOUT_S,
    )


def _version(body: bytes) -> str:
    found = _VERSION.search(body)
    return found[1].decode("ascii") if found else repr(body[:100])


def _judge(found: Round, every: Sequence[tuple[float, float, str]]) -> None:
    """Assign the answers (sent, received, version or error) to before or during changes, and check versions."""
    first = found.changes[0].begun
    failed = set(found.failures)
    for sent, received, version in every:
        found.answers += 1
        milliseconds = (received - sent) * 1000
        if received < first:
            found.before_ms.append(milliseconds)
        elif any(sent < change.ended and received > change.begun for change in found.changes):
            found.during_ms.append(milliseconds)
        if version not in failed and version not in _active_versions(found.changes, sent, received):
            found.inactive.append(version)


def _active_versions(changes: Sequence[Change], sent: float, received: float) -> set[str]:
    """The versions that were active at any time between the two times."""
    allowed = {RELEASED} if sent < changes[0].ended else set()
    for change, following in zip(changes, [*changes[1:], None], strict=True):
        if received > change.begun and (following is None or sent < following.ended):
            allowed |= change.served
    return allowed


def _results(rounds: Sequence[Round]) -> Results:
    swaps, rollbacks, canaries = (
        [c.seconds for r in rounds for c in r.changes if c.words[0] == word]
        for word in ("swap", "rollback", "canary")
    )
    failures = sum(len(r.failures) for r in rounds)
    inactive = sum(len(r.inactive) for r in rounds)
    times = [r.times_p99 for r in rounds]
    of_clients = Table(
        "Effect on the clients",
        COLUMNS,
        [
            (
                str(number),
                f"{r.answers:,}",
                str(len(r.failures)),
                str(len(r.inactive)),
                *(
                    format_number(percentile(values, percent))
                    for percent in (50, 99)
                    for values in (r.before_ms, r.during_ms)
                ),
                f"{r.times_p99:.2f}",
            )
            for number, r in enumerate(rounds, 1)
        ],
        "During: answers while a command ran. Answers between two commands are in neither column.",
    )
    of_changes = Table(
        "Duration of the commands",
        ("command", "times run", "median s", "from-to", "bar"),
        [
            (name, str(len(took)), format_number(median(took)), format_range(took), bar)
            for name, took, bar in (
                ("make swap", swaps, f"< {SWAP_S:g} s"),
                ("make rollback", rollbacks, f"< {ROLLBACK_S:g} s"),
                ("make canary", canaries, ""),
            )
        ],
    )
    held = {
        "no answer failed": not failures,
        "no answer was by an inactive version": not inactive,
        f"p99 during the changes at most {TIMES_P99:g} times that before": max(times) <= TIMES_P99,
        f"every swap in under {SWAP_S:g} s": max(swaps) < SWAP_S,
        f"every rollback in under {ROLLBACK_S:g} s": max(rollbacks) < ROLLBACK_S,
    }
    bars = Table("Bars", ("bar", "holds"), [(bar, "yes" if holds else "NO") for bar, holds in held.items()])
    summary = (
        f"{CLIENTS} clients post canvases of 320x320 to the gateway without a pause, for {BEFORE_S:.0f} s without and "
        f"then with changes of the version: five swaps, two rollbacks and two canary changes, in {ROUNDS} rounds. The "
        "clients alone keep the shared cores busy, so the CPU time of a command reduces theirs."
    )
    numbers = {
        "rounds": [
            {
                "answers": r.answers,
                "failures": r.failures,
                "inactive": r.inactive,
                "p99_before_ms": percentile(r.before_ms, 99),
                "p99_during_ms": percentile(r.during_ms, 99),
                "changes": [{"command": " ".join(c.words), "seconds": c.seconds} for c in r.changes],
            }
            for r in rounds
        ],
        "held": held,
    }
    return Results("swaps", summary, [of_clients, of_changes, bars], numbers)
