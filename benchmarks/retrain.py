"""Retraining from labels: 500 labelled drawings in an unknown writing style, then `make retrain`.

The benchmark posts underlined digits to a running system and logs them like the page: once with correct labels, and
once with 30 % wrong labels. A third system gets struck digits, a style that had no part in the development of
retraining. Accuracy is measured on other drawings of the style, before retraining and, if a version was archived, with
that version.
"""

import json
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, TypedDict

import numpy as np
import psycopg

from benchmarks import load, running
from benchmarks.load import Target
from benchmarks.records import make_record
from benchmarks.results import Results, Table
from benchmarks.running import say
from fixtures.canvas_png import encode_png, paint_sheet
from fixtures.unknown_styles import STRUCK, UNDERLINED, Drawing, Style, draw_digits
from ops.native import postgres
from ops.system import ROOT, System
from ops.versions.retrain import next_version
from ops.versions.state import RELEASED, archive_name
from ui.outbox import Outbox

LABELLED = 500
FRESH = 1000
# Seeds of the labelled drawings, of the drawings for the measurement, and of the wrong labels.
LABELLED_SEED, FRESH_SEED, WRONG_SEED = 1, 2, 3
DELIVERED_WITHIN_S = 60.0


@dataclass(frozen=True)
class Case:
    """The style of the drawings, and the share of wrong labels."""

    style: Style
    wrong_share: float

    @property
    def name(self) -> str:
        return f"{self.style.name}, {self.wrong_share:.0%} of the labels wrong"


COLUMNS = (
    "digits", "minutes", "drawings for training", "interpolation factor", "archived", f"accuracy of {RELEASED}",
    "of the next", "points", "p",
)  # fmt: skip
CASES = (Case(UNDERLINED, 0.0), Case(UNDERLINED, 0.3), Case(STRUCK, 0.0))


class Comparison(TypedDict):
    """A criterion of the judge: shares of both models, 0 to 1 (training/retrain/judge.py)."""

    name: str
    champion: float
    challenger: float
    holds: bool
    note: str


@dataclass(frozen=True)
class CaseResult:
    """The result of a case. `before` and `after` tell which fresh drawings champion and next version read correctly."""

    case: Case
    minutes: float
    learned_from: int
    interpolation_factor: float
    conclusion: str
    archived: str | None
    before: list[bool]
    after: list[bool] | None
    judged: list[Comparison]

    @property
    def gained(self) -> float:
        """Increase of the accuracy on these drawings, in percentage points."""
        return 0.0 if self.after is None else 100 * (sum(self.after) - sum(self.before)) / len(self.before)


def measure() -> Results:
    """Start a system for each case, label, retrain, and return the results."""
    case_results = []
    for case in CASES:
        with running.system() as system:
            case_results.append(_measure_case(system, case))
    return _results(case_results)


def _measure_case(system: System, case: Case) -> CaseResult:
    drawings = draw_digits(case.style, LABELLED, LABELLED_SEED)
    _label(system, drawings, _labels([drawing.digit for drawing in drawings], case.wrong_share))
    _copy_cached_drawings(system)
    fresh = draw_digits(case.style, FRESH, FRESH_SEED)
    before = _read_correctly(system, fresh)
    version = next_version(system)
    started = time.monotonic()
    output = running.ops(system, "retrain")
    minutes = (time.monotonic() - started) / 60
    archived = (system.model_store / archive_name(version)).exists()
    if archived:
        running.ops(system, "swap", version)
    say(f"{case.name}, {minutes:.1f} minutes:\n{output}")
    challenger = json.loads((system.retraining / "challenger.json").read_text(encoding="utf-8"))
    return CaseResult(
        case,
        minutes,
        len(challenger["labelled_drawings"]),
        challenger["interpolation_factor"],
        next(line for line in output.splitlines() if line.startswith("The challenger ")),
        version if archived else None,
        before,
        _read_correctly(system, fresh) if archived else None,
        challenger["judged"],
    )


def _copy_cached_drawings(system: System) -> None:
    """Copy the generated drawings of an earlier `make retrain`, which take half of the time of a first one."""
    system.retraining.mkdir()
    for path in (ROOT / "var" / "retrain").glob("*.npz"):
        shutil.copy(path, system.retraining)


def _labels(digits: Sequence[int], wrong_share: float) -> list[int]:
    """The digits, a share of them replaced by one of the other nine."""
    rng = np.random.default_rng(WRONG_SEED)
    wrong = rng.permutation(len(digits)) < round(wrong_share * len(digits))
    others = rng.integers(1, 10, len(digits))
    return [
        int((digit + other * miss) % 10) for digit, other, miss in zip(digits, others, wrong, strict=True)
    ]


def _answers(system: System, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    target = Target("gateway", system.inner_port, "/predictions/mnist")
    return [json.loads(answer) for answer in load.ask(target, bodies)]


def _bodies(drawings: Sequence[Drawing]) -> list[bytes]:
    return [encode_png(paint_sheet(drawing.canvas)) for drawing in drawings]


def _read_correctly(system: System, drawings: Sequence[Drawing]) -> list[bool]:
    answers = _answers(system, _bodies(drawings))
    return [answer["digit"] == drawing.digit for answer, drawing in zip(answers, drawings, strict=True)]


def _label(system: System, drawings: Sequence[Drawing], labels: Sequence[int]) -> None:
    """Predict, store and label drawings like the page, and wait until the database has them."""
    outbox = Outbox(system.outbox)
    ids = np.random.default_rng(LABELLED_SEED)  # the ids determine which drawings are for evaluation
    bodies = _bodies(drawings)
    for answer, body, label in zip(_answers(system, bodies), bodies, labels, strict=True):
        drawing_id = uuid.UUID(bytes=ids.bytes(16), version=4)
        record = make_record(body, {**answer, "prediction": answer["digit"]}, 10.0, drawing_id)
        outbox.put(record)
        outbox.put(record.add_label(label))
    outbox.close()
    running.wait_until(
        lambda: _delivered(system) >= len(drawings),
        lambda: f"{_delivered(system)} of {len(drawings)} labelled drawings are in the database",
        DELIVERED_WITHIN_S,
    )


def _delivered(system: System) -> int:
    with psycopg.connect(postgres.owner_url(system)) as connection:
        [(count,)] = connection.execute(
            "SELECT count(*) FROM predictions WHERE true_label IS NOT NULL"
        ).fetchall()
    return int(count)


def _probability(won: int, lost: int) -> float:
    """McNemar's exact test: the probability of at least `won` wins if both models were equally good."""
    both = won + lost
    return sum(comb(both, k) for k in range(won, both + 1)) / 2**both


def _results(case_results: Sequence[CaseResult]) -> Results:
    summary = (
        f"{LABELLED} digits in a writing style that no recipe contains, drawn by training/strokes with the strokes of "
        "the training styles, are answered and labelled in a running system. Then `make retrain` runs. A quarter of "
        "the labelled drawings, selected by their ids, is only for evaluation, as is one half of MNIST's validation "
        f"split and of the held-out styles. The method of `make retrain` was developed on digits {UNDERLINED.name}; "
        f"digits {STRUCK.name} had no part in it. The systems run one after the other, and training has one thread."
    )
    return Results(
        "retrain",
        summary,
        [_accuracy_table(case_results), *(_judge_table(result) for result in case_results)],
        {"cases": [_numbers(result) for result in case_results]},
    )


def _accuracy_table(case_results: Sequence[CaseResult]) -> Table:
    rows = []
    for result in case_results:
        about = (
            result.case.name,
            f"{result.minutes:.1f}",
            str(result.learned_from),
            f"{result.interpolation_factor:.0%}",
        )
        accuracy = f"{np.mean(result.before):.1%}"
        if result.after is None:
            rows.append((*about, "none", accuracy, "-", "-", "-"))
            continue
        pairs = list(zip(result.before, result.after, strict=True))
        won, lost = pairs.count((False, True)), pairs.count((True, False))
        rows.append(
            (
                *about,
                result.archived or "",
                accuracy,
                f"{np.mean(result.after):.1%}",
                f"{result.gained:+.1f}, {won} won and {lost} lost",
                f"{_probability(won, lost):.1g}",
            )
        )
    return Table(
        "Archived versions, and their accuracy on other drawings of the style",
        COLUMNS,
        rows,
        f"Accuracy on {FRESH:,} unlabelled drawings, through the gateway. p is from McNemar's exact test. The "
        f"interpolation factor is 0 for the weights of {RELEASED} and 1 for the retrained ones. The minutes are those "
        "of a run with cached drawings in var/retrain, as in every run after the first.",
    )


def _judge_table(result: CaseResult) -> Table:
    rows = []
    for line in result.judged:
        shares = (f"{line[model]:.2%}" for model in ("champion", "challenger"))
        rows.append([line["name"], *shares, line["note"], "yes" if line["holds"] else "NO"])
    columns = ("", RELEASED, "challenger", "", "holds")
    return Table(f"Criteria of the judge: digits {result.case.name}", columns, rows, result.conclusion)


def _numbers(result: CaseResult) -> dict[str, Any]:
    fields = ("minutes", "learned_from", "interpolation_factor", "archived", "conclusion", "judged")
    return {name: getattr(result, name) for name in fields} | {
        "style": result.case.style.name,
        "wrong_share": result.case.wrong_share,
        "champion_accuracy": float(np.mean(result.before)),
        "next_accuracy": None if result.after is None else float(np.mean(result.after)),
        "points": result.gained,
    }
