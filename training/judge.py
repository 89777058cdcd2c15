"""Whether a challenger may follow the champion: not worse at anything, and better on what people drew, beyond chance.

    verdict = judge(champion, challenger, JudgedBy(validation, held_out, labelled))
    verdict.wins, verdict.lines

Both answer the same drawings, so what counts is where they differ: Q. McNemar, "Note on the sampling error of the
difference between correlated proportions or percentages", 1947, by the exact test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from training.archived import AnyPredictor
from training.behaviour import called_a_digit, kept
from training.calibration import expected_calibration_error
from training.checkpoint import ChosenBy, groups
from training.data import Digits
from training.labelled import Labelled
from training.measure import Answers, answers
from training.strokes.generate import NO_DIGIT, Drawings

SIGNIFICANT = 0.05
# What may be lost without a test for chance, for these are no counts of the same drawings.
CALIBRATION_MARGIN = 0.003
BEHAVIOUR_MARGIN = 0.005
TITLES = {"validation": "MNIST validation", "held_out": "held-out styles", "people": "held-out writers"}


@dataclass(frozen=True)
class JudgedBy:
    """Drawings that neither has learned from and by which nothing of the challenger was chosen."""

    validation: Digits
    held_out: Drawings
    labelled: Labelled


@dataclass(frozen=True)
class Line:
    """One thing that both were measured by: shares of 0 to 1, and whether the challenger may have its own."""

    name: str
    champion: float
    challenger: float
    holds: bool
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """Everything that was compared; `better` is whether people's drawings are read better beyond chance."""

    lines: list[Line]
    better: bool

    @property
    def wins(self) -> bool:
        return self.better and all(line.holds for line in self.lines)


def judge(champion: AnyPredictor, challenger: AnyPredictor, by: JudgedBy) -> Verdict:
    """Measure both and compare."""
    labelled = by.labelled.digits
    ours, theirs = answers(champion, labelled.images), answers(challenger, labelled.images)
    right = (ours.digits == labelled.labels, theirs.digits == labelled.labels)
    lines = [
        _paired("labelled drawings, accuracy", *right),
        _paired("labelled drawings, accepted as a digit", ours.is_digit, theirs.is_digit),
        *what_was_known(champion, challenger, by.validation, by.held_out),
        *_behaviour(champion, challenger),
    ]
    return Verdict(lines, better=gains(*right) < SIGNIFICANT)


def what_was_known(
    champion: AnyPredictor, challenger: AnyPredictor, validation: Digits, held_out: Drawings
) -> list[Line]:
    """The comparison on what is not learned from: MNIST's validation split, styles, kinds and writers held out."""
    none = held_out.labels == NO_DIGIT
    lines = []
    for name, digits in groups(ChosenBy(validation, held_out)).items():
        ours, theirs = answers(champion, digits.images), answers(challenger, digits.images)
        lines += [
            _paired(
                f"{TITLES[name]}, accuracy", ours.digits == digits.labels, theirs.digits == digits.labels
            ),
            _calibration(TITLES[name], ours, theirs, digits.labels),
            _paired(f"{TITLES[name]}, accepted as a digit", ours.is_digit, theirs.is_digit),
        ]
    refused = [~answers(model, held_out.images[none]).is_digit for model in (champion, challenger)]
    return [*lines, _paired("held-out non-digits, rejected", *refused)]


def _paired(name: str, ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> Line:
    """Counts of the same drawings: worse is what chance would hardly make of equals."""
    lost, won = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    worse = gains(theirs, ours) < SIGNIFICANT
    return Line(name, _share(ours), _share(theirs), holds=not worse, note=f"{won} gained, {lost} lost")


def gains(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """How probable so many more of `after` are, or more, if both were equals."""
    won, lost = int((~before & after).sum()), int((before & ~after).sum())
    return float(binomtest(won, won + lost, alternative="greater").pvalue) if won + lost else 1.0


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _calibration(name: str, ours: Answers, theirs: Answers, labels: NDArray[np.int64]) -> Line:
    before, after = (
        expected_calibration_error(model.confidences, model.digits == labels) for model in (ours, theirs)
    )
    return Line(f"{name}, calibration error", before, after, holds=after <= before + CALIBRATION_MARGIN)


def _behaviour(champion: AnyPredictor, challenger: AnyPredictor) -> list[Line]:
    ours, theirs = kept(champion), kept(challenger)
    lines = [
        Line(
            f"invariance, same digit when {name}",
            ours[name],
            theirs[name],
            holds=theirs[name] >= ours[name] - BEHAVIOUR_MARGIN,
        )
        for name in ours
    ]
    ours, theirs = called_a_digit(champion), called_a_digit(challenger)
    return lines + [
        Line(
            f"{name}, accepted as a digit",
            ours[name],
            theirs[name],
            holds=theirs[name] <= ours[name] + BEHAVIOUR_MARGIN,
        )
        for name in ours
    ]
