"""Compare champion and challenger: the challenger must be better on labelled drawings and nowhere worse.

    verdict = judge(champion, challenger, test, labelled)
    verdict.wins, verdict.comparisons

Both models answer the same drawings, so the exact McNemar test decides: Q. McNemar, "Note on the sampling error of the
difference between correlated proportions or percentages", 1947.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.behaviour import measure_acceptance, measure_invariance
from training.evaluate.measure import Answers, answers
from training.retrain.labelled import Labelled
from training.train.calibration import expected_calibration_error
from training.train.checkpoint import EvaluationData, digit_groups

SIGNIFICANT = 0.05
# Tolerated losses of calibration error and of behaviour, where a fixed margin replaces McNemar's test.
CALIBRATION_MARGIN = 0.003
BEHAVIOUR_MARGIN = 0.005
TITLES = {"validation": "MNIST validation", "held_out": "held-out styles", "people": "held-out writers"}


@dataclass(frozen=True)
class Comparison:
    """A criterion: shares of both models, 0 to 1, and whether the challenger passes."""

    name: str
    champion: float
    challenger: float
    holds: bool
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """All comparisons; `better`: the accuracy on labelled drawings is significantly higher."""

    comparisons: list[Comparison]
    better: bool

    @property
    def wins(self) -> bool:
        return self.better and all(line.holds for line in self.comparisons)


def judge(
    champion: AnyPredictor, challenger: AnyPredictor, test: EvaluationData, labelled: Labelled
) -> Verdict:
    """Compare both models on the test split and the labelled drawings for testing, and in their behaviour.

    None of this data was used to train the challenger or to select its factor, temperature or threshold.
    """
    images, labels = labelled.digits.images, labelled.digits.labels
    old, new = answers(champion, images), answers(challenger, images)
    right = (old.digits == labels, new.digits == labels)
    lines = [
        _compare_answers("labelled drawings, accuracy", *right),
        _compare_answers("labelled drawings, accepted as a digit", old.is_digit, new.is_digit),
        *compare_held_out(champion, challenger, test),
        *_compare_behaviour(champion, challenger),
    ]
    return Verdict(lines, better=mcnemar_p_value(*right) < SIGNIFICANT)


def compare_held_out(
    champion: AnyPredictor, challenger: AnyPredictor, data: EvaluationData
) -> list[Comparison]:
    """Compare both models on MNIST's validation split and on held-out styles, kinds and writers."""
    lines = []
    for name, digits in digit_groups(data).items():
        old, new = answers(champion, digits.images), answers(challenger, digits.images)
        title, right = TITLES[name], [model.digits == digits.labels for model in (old, new)]
        lines += [
            _compare_answers(f"{title}, accuracy", *right),
            _compare_calibration(title, old, new, digits.labels),
            _compare_answers(f"{title}, accepted as a digit", old.is_digit, new.is_digit),
        ]
    refused = [~answers(model, data.non_digits).is_digit for model in (champion, challenger)]
    return [*lines, _compare_answers("held-out non-digits, rejected", *refused)]


def _compare_answers(name: str, old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Comparison:
    """Compare answers to the same drawings, (N,) each; worse means significantly fewer true values."""
    lost, gained = int((old & ~new).sum()), int((~old & new).sum())
    worse = mcnemar_p_value(new, old) < SIGNIFICANT
    return Comparison(name, _share(old), _share(new), holds=not worse, note=f"{gained} gained, {lost} lost")


def mcnemar_p_value(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """One-sided p-value of McNemar's exact test that `after`, (N,), has more true values than `before`, (N,)."""
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    return float(binomtest(gained, gained + lost, alternative="greater").pvalue) if gained + lost else 1.0


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _compare_calibration(name: str, old: Answers, new: Answers, labels: NDArray[np.int64]) -> Comparison:
    before, after = (
        expected_calibration_error(model.confidences, model.digits == labels) for model in (old, new)
    )
    return Comparison(f"{name}, calibration error", before, after, holds=after <= before + CALIBRATION_MARGIN)


def _compare_behaviour(champion: AnyPredictor, challenger: AnyPredictor) -> list[Comparison]:
    same, accepted, margin = measure_invariance(challenger), measure_acceptance(challenger), BEHAVIOUR_MARGIN
    return [
        Comparison(f"invariance, same digit when {name}", old, same[name], same[name] >= old - margin)
        for name, old in measure_invariance(champion).items()
    ] + [
        Comparison(f"{name}, accepted as a digit", old, accepted[name], accepted[name] <= old + margin)
        for name, old in measure_acceptance(champion).items()
    ]
