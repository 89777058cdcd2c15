"""The whole loop: people label 500 drawings of a kind that no recipe knows, and `make retrain` makes of it what it can.

Digits with a line under them are posted to a running system and put into its log as the page does: once all labels are
right, and once 30 % of them are wrong. Then, in a third system, digits with a line through them, on which the way to
retrain was not tried out before. What came of it is measured on other drawings of that kind, as they are answered
before, and by the next version where one was archived.
"""

import json
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from typing import Any

import numpy as np
import psycopg

from benchmarks import load, running
from benchmarks.drawings import encoded, sheet
from benchmarks.load import Target
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from benchmarks.unknown_styles import STRUCK, UNDERLINED, Kind, written
from ops.native import postgres
from ops.system import ROOT, System
from ops.versions.retrain import next_version
from ops.versions.state import RELEASED, archive_name
from ui.outbox import Outbox
from ui.record import Record

LABELLED = 500
FRESH = 1000
# One for what is labelled, one for what it is measured by, one for which labels are wrong.
LABELLED_SEED, FRESH_SEED, WRONG_SEED = 1, 2, 3
DELIVERED_WITHIN_S = 60.0
POLL_S = 0.2


@dataclass(frozen=True)
class Drawn:
    """A drawing as the page sends it, and what was meant."""

    body: bytes
    digit: int


@dataclass(frozen=True)
class Case:
    """What is labelled, and which share of the labels is wrong."""

    kind: Kind
    wrong_share: float

    @property
    def name(self) -> str:
        return f"{self.kind.name}, {self.wrong_share:.0%} of the labels wrong"


CASES = (Case(UNDERLINED, 0.0), Case(UNDERLINED, 0.3), Case(STRUCK, 0.0))


@dataclass(frozen=True)
class Loop:
    """What came of a case; right (FRESH,) by the champion and, if there is one, the next."""

    case: Case
    minutes: float
    learned: int
    of_the_way: float
    conclusion: str
    archived: str | None
    before: list[bool]
    after: list[bool] | None
    judged: list[dict[str, Any]]

    @property
    def gained(self) -> float:
        """Points of accuracy by which the next version reads these drawings better."""
        return 0.0 if self.after is None else 100 * (sum(self.after) - sum(self.before)) / len(self.before)


def measure() -> Results:
    """Starts a system for each case, labels, retrains, and gives back what came of it."""
    loops = []
    for case in CASES:
        with running.system() as system:
            loops.append(_loop(system, case))
    return _results(loops)


def _loop(system: System, case: Case) -> Loop:
    drawn = _drawn(case.kind, LABELLED, LABELLED_SEED)
    _label(system, drawn, _labels([each.digit for each in drawn], case.wrong_share))
    _take_drawings(system)
    fresh = _drawn(case.kind, FRESH, FRESH_SEED)
    before = _right(system, fresh)
    version = next_version(system)
    started = time.monotonic()
    said = running.ops(system, "retrain")
    minutes = (time.monotonic() - started) / 60
    archived = (system.model_store / archive_name(version)).exists()
    if archived:
        running.ops(system, "swap", version)
    say(f"{case.name}, {minutes:.1f} minutes:\n{said}")
    challenger = json.loads((system.retraining / "challenger.json").read_text(encoding="utf-8"))
    return Loop(
        case,
        minutes,
        len(challenger["labelled_drawings"]),
        challenger["interpolation_factor"],
        next(line for line in said.splitlines() if line.startswith("The challenger ")),
        version if archived else None,
        before,
        _right(system, fresh) if archived else None,
        challenger["judged"],
    )


def _take_drawings(system: System) -> None:
    """Those of the mix that an earlier `make retrain` has left here: they take half of the time of a first one."""
    system.retraining.mkdir()
    for path in (ROOT / "var" / "retrain").glob("*.npz"):
        shutil.copy(path, system.retraining)


def _drawn(kind: Kind, count: int, seed: int) -> list[Drawn]:
    return [Drawn(encoded(sheet(each.canvas)), each.digit) for each in written(kind, count, seed)]


def _labels(digits: Sequence[int], wrong_share: float) -> list[int]:
    """The digits themselves, but for a share of them another of the nine."""
    rng = np.random.default_rng(WRONG_SEED)
    wrong = rng.permutation(len(digits)) < round(wrong_share * len(digits))
    others = rng.integers(1, 10, len(digits))
    return [
        int((digit + other * miss) % 10) for digit, other, miss in zip(digits, others, wrong, strict=True)
    ]


def _answers(system: System, drawn: Sequence[Drawn]) -> list[dict[str, Any]]:
    target = Target("gateway", system.inner_port, "/predictions/mnist")
    return [json.loads(answer) for answer in load.ask(target, [each.body for each in drawn])]


def _right(system: System, drawn: Sequence[Drawn]) -> list[bool]:
    return [
        answer["digit"] == each.digit for answer, each in zip(_answers(system, drawn), drawn, strict=True)
    ]


def _label(system: System, drawn: Sequence[Drawn], labels: Sequence[int]) -> None:
    """Let drawings be answered, kept and labelled as the page does it, and wait until the database has them."""
    outbox = Outbox(system.outbox)
    ids = np.random.default_rng(LABELLED_SEED)  # which of them judge goes by their ids
    for answer, each, label in zip(_answers(system, drawn), drawn, labels, strict=True):
        record = Record(
            id=uuid.UUID(bytes=ids.bytes(16), version=4),
            created_at=datetime.now(UTC),
            prediction=answer["digit"],
            confidence=answer["confidence"],
            probabilities=answer["probabilities"],
            is_digit=answer["is_digit"],
            digit_score=answer["digit_score"],
            model_version=answer["model_version"],
            latency_ms=10.0,
            true_label=None,
            labelled_at=None,
            drawing=each.body,
            revision=1,
        )
        outbox.put(record)
        outbox.put(record.add_label(label))
    outbox.close()
    deadline = time.monotonic() + DELIVERED_WITHIN_S
    while _delivered(system) < len(drawn):
        if time.monotonic() > deadline:
            raise StartError(f"Of {len(drawn)} labelled drawings {_delivered(system)} are in the database")
        time.sleep(POLL_S)


def _delivered(system: System) -> int:
    with psycopg.connect(postgres.owner_url(system)) as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM predictions WHERE true_label IS NOT NULL"
        ).fetchall()
    return int(count)


def _probability(won: int, lost: int) -> float:
    """McNemar's exact test: how probable so many more won than lost, or more, are if both were equals."""
    both = won + lost
    return sum(comb(both, k) for k in range(won, both + 1)) / 2**both


def _results(loops: Sequence[Loop]) -> Results:
    summary = (
        f"{LABELLED} digits in a way of writing that no recipe knows, drawn by training/strokes in the styles that are "
        "trained on, are answered and labelled in a running system; then `make retrain`. Of these a quarter, by their "
        "ids, only judges, and so does one half of MNIST's validation split and of the held-out styles. How `make "
        f"retrain` goes about it was found on digits {UNDERLINED.name}; those {STRUCK.name} had no say in it. One "
        "system after the other runs, and what trains beside it has one thread."
    )
    return Results(
        "retrain",
        summary,
        [_of_loops(loops), *(_of_judge(loop) for loop in loops)],
        {"loops": [_numbers(loop) for loop in loops]},
    )


def _of_loops(loops: Sequence[Loop]) -> Table:
    rows = []
    for loop in loops:
        about = (loop.case.name, f"{loop.minutes:.1f}", str(loop.learned), f"{loop.of_the_way:.0%}")
        accuracy = f"{np.mean(loop.before):.1%}"
        if loop.after is None:
            rows.append((*about, "none", accuracy, "-", "-", "-"))
            continue
        pairs = list(zip(loop.before, loop.after, strict=True))
        won, lost = pairs.count((False, True)), pairs.count((True, False))
        rows.append(
            (
                *about,
                loop.archived or "",
                accuracy,
                f"{np.mean(loop.after):.1%}",
                f"{loop.gained:+.1f}, {won} won and {lost} lost",
                f"{_probability(won, lost):.1g}",
            )
        )
    return Table(
        "What was archived, and how it reads other drawings of that kind",
        (
            "digits",
            "minutes",
            "learned from",
            "of the way",
            "archived",
            f"{RELEASED} reads right",
            "the next one",
            "points",
            "p",
        ),
        rows,
        f"Of {FRESH:,} drawings that nobody labelled, through the gateway. p is that of McNemar's exact test. The "
        f"way is that from {RELEASED}'s weights to those that training came to. The minutes are those of a run that "
        "finds the drawings of its mix in var/retrain, as each after the first does.",
    )


def _of_judge(loop: Loop) -> Table:
    return Table(
        f"What decided: digits {loop.case.name}",
        ("", RELEASED, "challenger", "", "holds"),
        [
            (
                line["name"],
                f"{line['champion']:.2%}",
                f"{line['challenger']:.2%}",
                line["note"],
                "yes" if line["holds"] else "NO",
            )
            for line in loop.judged
        ],
        loop.conclusion,
    )


def _numbers(loop: Loop) -> dict[str, Any]:
    return {
        "kind": loop.case.kind.name,
        "wrong_share": loop.case.wrong_share,
        "minutes": loop.minutes,
        "learned_from": loop.learned,
        "of_the_way": loop.of_the_way,
        "archived": loop.archived,
        "champion_accuracy": float(np.mean(loop.before)),
        "next_accuracy": None if loop.after is None else float(np.mean(loop.after)),
        "points": loop.gained,
        "conclusion": loop.conclusion,
        "worse_at": [line["name"] for line in loop.judged if not line["holds"]],
        "judged": loop.judged,
    }
