"""Swaps while people draw: what 20 clients who predict without pause notice of versions that change.

Five swaps, two rollbacks and two changes of a canary, one after the other, each by the command that `make` runs.
Of every answer is judged whether it came, how long it took, and whether its version was one that should answer then.
"""

import re
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from benchmarks import load, running
from benchmarks.drawings import canvases
from benchmarks.figures import median, percentile, shown, spread
from benchmarks.load import Target
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from ops.system import System
from ops.versions.management import Management
from ops.versions.state import RELEASED, Versions, archive_name
from tests.system import archives

CLIENTS = 20
ROUNDS = 3
BEFORE_S = 20.0
# Until what is out is out of memory, and there is room for the next candidate.
SETTLE_TIMEOUT_S = 60.0
POLL_S = 0.1
CHANGES: tuple[tuple[str, ...], ...] = (
    ("swap", "7.1"),
    ("swap", "7.2"),
    ("rollback",),
    ("canary", "7.3", "10"),
    ("canary", "7.3", "0"),
    ("swap", "7.4"),
    ("swap", "7.2"),
    ("rollback",),
    ("swap", RELEASED),  # as it was, for the next round
)
# The bars. A swap waits for its workers; a rollback for nothing, and may take what a person calls at once.
SWAP_S, ROLLBACK_S, TIMES_P99 = 15.0, 2.0, 3.0
_VERSION = re.compile(rb'"model_version": ?"([^"]*)"')


@dataclass(frozen=True)
class Change:
    """A command, from when to when it ran by time.perf_counter, and who answered after it."""

    words: Sequence[str]
    begun: float
    ended: float
    served: frozenset[str]

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Round:
    """What one pass through CHANGES was like."""

    before_ms: list[float] = field(default_factory=list)
    during_ms: list[float] = field(default_factory=list)  # answers that a command was at work beside
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)  # answers of a version that should not have answered
    changes: list[Change] = field(default_factory=list)

    @property
    def times_p99(self) -> float:
        return percentile(self.during_ms, 99) / percentile(self.before_ms, 99)


def measure() -> Results:
    """Starts a system, changes its versions under load, and gives back what was noticed of it."""
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
                f"{len(last.strangers)} by a wrong version, p99 {last.times_p99:.2f} times that before"
            )
    return _results(rounds)


def _round(system: System) -> Round:
    found, trouble = Round(), list[StartError]()

    def change_all() -> None:
        try:
            for words in CHANGES:
                found.changes.append(_change(system, words))
                _settle(system)
        except StartError as error:
            trouble.append(error)

    target = Target("gateway", system.gateway_port, "/predictions/mnist")
    changer = threading.Thread(target=change_all)
    every: list[tuple[float, float, str]] = []
    with closing(load.stream(target, canvases(), CLIENTS)) as answers:
        begin = time.perf_counter()
        for answer in answers:
            said = str(answer.error) if answer.error else _version(answer.body)
            every.append((answer.at - answer.milliseconds / 1000, answer.at, said))
            if answer.error:
                found.failures.append(said)
            if changer.ident is None and answer.at > begin + BEFORE_S:
                changer.start()
            elif changer.ident and not changer.is_alive():
                break
    if trouble:
        raise trouble[0]
    _judge(found, every)
    return found


def _change(system: System, words: Sequence[str]) -> Change:
    begun = time.perf_counter()
    running.ops(system, *words)
    ended = time.perf_counter()
    return Change(words, begun, ended, frozenset(Versions.read(system.versions).served()))


def _settle(system: System) -> None:
    """Wait until nothing is registered but what serves and the version before."""
    versions = Versions.read(system.versions)
    wanted = {*versions.served(), versions.previous} - {None}
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    management = Management(system.management_address)
    while set(management.list_versions()) != wanted:
        if time.monotonic() > deadline:
            raise StartError(f"{set(management.list_versions())} are registered, and {wanted} should be")
        time.sleep(POLL_S)


def _version(body: bytes) -> str:
    found = _VERSION.search(body)
    return found[1].decode("ascii") if found else repr(body[:100])


def _judge(found: Round, every: Sequence[tuple[float, float, str]]) -> None:
    """Sort the answers, (sent, received, version), to before and during, and find those of a wrong version."""
    first = found.changes[0].begun
    failed = set(found.failures)
    for sent, received, said in every:
        found.answers += 1
        milliseconds = (received - sent) * 1000
        if received < first:
            found.before_ms.append(milliseconds)
        elif any(sent < change.ended and received > change.begun for change in found.changes):
            found.during_ms.append(milliseconds)
        if said not in failed and said not in _allowed(found.changes, sent, received):
            found.strangers.append(said)


def _allowed(changes: Sequence[Change], sent: float, received: float) -> set[str]:
    """Who may have answered between the two times: as it was after the last change before, and what was made of it."""
    allowed = {RELEASED} if sent < changes[0].ended else set()
    for change, following in zip(changes, [*changes[1:], None], strict=True):
        if received > change.begun and (following is None or sent < following.ended):
            allowed |= change.served
    return allowed


def _results(rounds: Sequence[Round]) -> Results:
    swaps = [c.seconds for r in rounds for c in r.changes if c.words[0] == "swap"]
    rollbacks = [c.seconds for r in rounds for c in r.changes if c.words[0] == "rollback"]
    canaries = [c.seconds for r in rounds for c in r.changes if c.words[0] == "canary"]
    failures = sum(len(r.failures) for r in rounds)
    strangers = sum(len(r.strangers) for r in rounds)
    times = [r.times_p99 for r in rounds]
    of_clients = Table(
        "What the clients noticed",
        (
            "round",
            "answers",
            "failed",
            "by a version that should not",
            "p50 ms before",
            "during",
            "p99 ms before",
            "during",
            "times",
        ),
        [
            (
                str(number),
                f"{r.answers:,}",
                str(len(r.failures)),
                str(len(r.strangers)),
                *(shown(percentile(values, 50)) for values in (r.before_ms, r.during_ms)),
                *(shown(percentile(values, 99)) for values in (r.before_ms, r.during_ms)),
                f"{r.times_p99:.2f}",
            )
            for number, r in enumerate(rounds, 1)
        ],
        "During are the answers beside which a command was at work; what lies between two commands counts in neither.",
    )
    of_changes = Table(
        "How long the commands took",
        ("command", "times run", "median s", "from-to", "bar"),
        [
            (name, str(len(took)), shown(median(took)), spread(took), bar)
            for name, took, bar in (
                ("make swap", swaps, f"< {SWAP_S:g} s"),
                ("make rollback", rollbacks, f"< {ROLLBACK_S:g} s"),
                ("make canary", canaries, ""),
            )
        ],
    )
    held = {
        "no answer failed": not failures,
        "none was by a version that should not answer": not strangers,
        f"p99 during the changes at most {TIMES_P99:g} times that before": max(times) <= TIMES_P99,
        f"every swap in under {SWAP_S:g} s": max(swaps) < SWAP_S,
        f"every rollback in under {ROLLBACK_S:g} s": max(rollbacks) < ROLLBACK_S,
    }
    bars = Table("Bars", ("bar", "holds"), [(bar, "yes" if holds else "NO") for bar, holds in held.items()])
    summary = (
        f"{CLIENTS} clients post canvases of 320x320 to the gateway without pause, first for {BEFORE_S:.0f} s alone, "
        f"then while versions change: five swaps, two rollbacks, two changes of a canary, {ROUNDS} rounds of it. "
        "Clients and server share the cores, which the clients alone keep busy: what a command takes, they lack."
    )
    numbers = {
        "rounds": [
            {
                "answers": r.answers,
                "failures": r.failures,
                "strangers": r.strangers,
                "p99_before_ms": percentile(r.before_ms, 99),
                "p99_during_ms": percentile(r.during_ms, 99),
                "changes": [{"command": " ".join(c.words), "seconds": c.seconds} for c in r.changes],
            }
            for r in rounds
        ],
        "held": held,
    }
    return Results("swaps", summary, [of_clients, of_changes, bars], numbers)
