"""Measure a model: the metrics of model cards, of `make evaluate` and of comparisons.

    measure_model(predictor, data.load(train=False))["mnist_test"]["accuracy"]

The predictor answers, so the metrics include preprocessing, temperature and threshold.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

from handler.model import DIGITS
from handler.predictor import Predictor
from training.data import reporting_sets
from training.data.mnist import Digits
from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.batches import batches, predict_all
from training.evaluate.behaviour import measure_acceptance, measure_invariance
from training.strokes.generate import NO_DIGIT
from training.train.calibration import area_under_curve, expected_calibration_error
from training.train.drawings import load_held_out_writers

NOT_MEASURED = "not measured"
ACCURACY = "accuracy (95 % interval)"
DigitSet: TypeAlias = Literal["mnist_test", "held_out_writers", "pendigits_reporting"]
DIGIT_SETS: dict[str, DigitSet] = {
    "MNIST test set": "mnist_test",
    "held-out writers": "held_out_writers",
    "pendigits, reporting writers": "pendigits_reporting",
}
# Sets of non-digits: key, the digits to compare with, title.
OTHER_SETS: tuple[tuple[Literal["letters", "omniglot"], str, str], ...] = (
    ("letters", "held-out writers", "letters and signs"),
    ("omniglot", "reporting writers", "Omniglot"),
)


class DigitMetrics(TypedDict):
    """Metrics of labelled digits: counts, and shares 0 to 1."""

    digits: int
    accuracy: float
    accuracy_interval: tuple[float, float]  # 95 %, by Wilson
    calibration_error: float
    called_no_digit: float
    accuracy_by_digit: list[float]
    confusion: list[list[int]]  # rows are labels


class OtherMetrics(TypedDict):
    """Metrics of non-digits: their count, the share with a true `is_digit`, AUROC against digits."""

    drawings: int
    called_digit: float
    area_under_curve: float


class Measured(TypedDict):
    """All metrics of a model, as in the JSON of a release; None for sets that are missing."""

    mnist_test: DigitMetrics
    held_out_writers: DigitMetrics | None
    letters: OtherMetrics | None
    pendigits_reporting: DigitMetrics | None
    omniglot: OtherMetrics | None
    kept: dict[str, float]  # invariance: the share with the same digit after each change
    called_a_digit: dict[str, float]  # the accepted share of each kind of generated non-digits
    served_as_eager: float | None  # the share with the same digit in ONNX Runtime and in torch


@dataclass(frozen=True)
class Answers:
    """Predictions for N images: digits, confidences 0 to 1, digit scores 0 to 1, is_digit; (N,) each."""

    digits: NDArray[np.int64]
    confidences: NDArray[np.float64]
    scores: NDArray[np.float64]
    is_digit: NDArray[np.bool_]


def answers(predictor: AnyPredictor, images: NDArray[np.uint8]) -> Answers:
    """Predict prepared images, uint8 (N, 28, 28)."""
    predictions = predict_all(predictor, images)
    names = ("digit", "confidence", "digit_score", "is_digit")
    return Answers(*(np.array([getattr(one, name) for one in predictions]) for name in names))


def confusion(answered: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Confusion matrix (10, 10), counts; rows are labels."""
    return confusion_matrix(labels, answered, labels=range(DIGITS))


def digit_metrics(answered: Answers, labels: NDArray[np.int64]) -> DigitMetrics:
    """Metrics of labelled digits."""
    counts = confusion(answered.digits, labels)
    right, total = counts.diagonal(), np.maximum(counts.sum(axis=1), 1)
    accuracy = binomtest(int(right.sum()), len(labels))
    interval = accuracy.proportion_ci(0.95, method="wilson")
    return {
        "digits": len(labels),
        "accuracy": float(accuracy.statistic),
        "accuracy_interval": (float(interval.low), float(interval.high)),
        "calibration_error": expected_calibration_error(answered.confidences, answered.digits == labels),
        "called_no_digit": float(np.mean(~answered.is_digit)),
        "accuracy_by_digit": (right / total).tolist(),
        "confusion": counts.tolist(),
    }


def non_digit_metrics(answered: Answers, of_digits: Answers) -> OtherMetrics:
    """Metrics of non-digits; `of_digits` are the predictions of digits for AUROC."""
    return {
        "drawings": len(answered.scores),
        "called_digit": float(np.mean(answered.is_digit)),
        "area_under_curve": area_under_curve(of_digits.scores, answered.scores),
    }


def measure_model(predictor: AnyPredictor, test: Digits, *, report: bool) -> Measured:
    """All metrics of a model; None for sets that are missing.

    `report` reads the reporting sets, which must not select a recipe; held-out writers do.
    """
    drawn, others = (reporting_sets.digits(), reporting_sets.non_digits()) if report else (None, None)
    measured: Measured = {
        "mnist_test": digit_metrics(answers(predictor, test.images), test.labels),
        "held_out_writers": None,
        "letters": None,
        "pendigits_reporting": None,
        "omniglot": None,
        "kept": measure_invariance(predictor),
        "called_a_digit": measure_acceptance(predictor),
        "served_as_eager": None,
    }
    images = test.images
    if held_out := load_held_out_writers():
        none = held_out.labels == NO_DIGIT
        of_held_out = answers(predictor, held_out.images[~none])
        measured["held_out_writers"] = digit_metrics(of_held_out, held_out.labels[~none])
        measured["letters"] = non_digit_metrics(answers(predictor, held_out.images[none]), of_held_out)
    if drawn is not None and others is not None:
        of_drawn = answers(predictor, drawn.images)
        measured["pendigits_reporting"] = digit_metrics(of_drawn, drawn.labels)
        measured["omniglot"] = non_digit_metrics(answers(predictor, others), of_drawn)
        images = np.concatenate([images, drawn.images])
    measured["served_as_eager"] = _onnx_agreement(predictor, images)
    return measured


def flat_metrics(measured: Measured) -> dict[str, float | None]:
    """Metrics by title, in display order; None if not measured."""
    found: dict[str, float | None] = {}
    for title, digit_set in DIGIT_SETS.items():
        metrics = measured[digit_set]
        found[f"{title}, {ACCURACY}"] = metrics and metrics["accuracy"]
        found[f"{title}, calibration error in 15 bins"] = metrics and metrics["calibration_error"]
        found[f"{title}, rejected as not a digit"] = metrics and metrics["called_no_digit"]
    for other_set, digits, title in OTHER_SETS:
        others = measured[other_set]
        found[f"AUROC of digit_score, {digits} against {title}"] = others and others["area_under_curve"]
        found[f"{title}, accepted as a digit"] = others and others["called_digit"]
    found |= {f"{kind}, accepted as a digit": share for kind, share in measured["called_a_digit"].items()}
    found |= {f"invariance, same digit when {change}": share for change, share in measured["kept"].items()}
    found["same digit in ONNX Runtime and in torch"] = measured["served_as_eager"]
    return found


def rows(measured: Measured) -> list[tuple[str, str]]:
    """Metrics as texts by title; accuracies with their 95 % interval."""
    texts = {name: percent(value) for name, value in flat_metrics(measured).items()}
    for title, key in DIGIT_SETS.items():
        if metrics := measured[key]:
            low, high = metrics["accuracy_interval"]
            texts[f"{title}, {ACCURACY}"] += f" ({low:.2%} to {high:.2%})"
    return list(texts.items())


def percent(share: float | None) -> str:
    """Format a share as a percentage; None gives "not measured"."""
    return NOT_MEASURED if share is None else f"{share:.2%}"


def _onnx_agreement(predictor: AnyPredictor, images: NDArray[np.uint8]) -> float | None:
    """The share of images with the same digit in ONNX Runtime and in torch.

    None if torch serves, and for an archive.
    """
    if not isinstance(predictor, Predictor) or predictor.runtime == "torch":
        return None
    settings = (predictor.temperature, predictor.digit_threshold, predictor.version)
    in_torch = Predictor(predictor.model, *settings, tta_below=predictor.tta_below)
    return float(np.mean(_digits(predictor, images) == _digits(in_torch, images)))


def _digits(predictor: Predictor, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.concatenate([predictor.logits(b)[:, :DIGITS].argmax(axis=1) for b in batches(images)])
