"""Measure a model: the metrics of model cards, of `make evaluate` and of comparisons.

    measure_model(predictor, data.load(train=False))["mnist_test"]["accuracy"]

The predictor answers, so the metrics include preprocessing, temperature and threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handler.predictor import DIGITS, Predictor
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
DIGIT_SETS = {
    "MNIST test set": "mnist_test",
    "held-out writers": "held_out_writers",
    "pendigits, reporting writers": "pendigits_reporting",
}
# Sets of non-digits: key, the digits to compare with, title.
OTHER_SETS = (
    ("letters", "held-out writers", "letters and signs"),
    ("omniglot", "reporting writers", "Omniglot"),
)


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
    return Answers(
        np.array([prediction.digit for prediction in predictions]),
        np.array([prediction.confidence for prediction in predictions]),
        np.array([prediction.digit_score for prediction in predictions]),
        np.array([prediction.is_digit for prediction in predictions]),
    )


def confusion(answered: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Confusion matrix (10, 10), counts; rows are labels."""
    counts = np.zeros((DIGITS, DIGITS), dtype=np.int64)
    np.add.at(counts, (labels, answered), 1)
    return counts


def wilson_interval(right: int, of: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share: E. B. Wilson, "Probable inference", 1927."""
    z, share = 1.96, right / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return float(middle - half), float(middle + half)


def digit_metrics(answered: Answers, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Metrics of labelled digits."""
    counts = confusion(answered.digits, labels)
    right, of = counts.diagonal(), np.maximum(counts.sum(axis=1), 1)
    return {
        "digits": len(labels),
        "accuracy": float(right.sum() / len(labels)),
        "accuracy_interval": wilson_interval(int(right.sum()), len(labels)),
        "calibration_error": expected_calibration_error(answered.confidences, answered.digits == labels),
        "called_no_digit": float(np.mean(~answered.is_digit)),
        "accuracy_by_digit": (right / of).tolist(),
        "confusion": counts.tolist(),
    }


def non_digit_metrics(answered: Answers, of_digits: Answers) -> dict[str, Any]:
    """Metrics of non-digits; `of_digits` are the predictions of digits for AUROC."""
    return {
        "drawings": len(answered.scores),
        "called_digit": float(np.mean(answered.is_digit)),
        "area_under_curve": area_under_curve(of_digits.scores, answered.scores),
    }


def measure_model(predictor: AnyPredictor, test: Digits, *, report: bool) -> dict[str, Any]:
    """All metrics of a model; None for sets that are missing.

    `report` reads the reporting sets. Development must not read them: held-out writers select recipes.
    """
    drawn, others = (reporting_sets.digits(), reporting_sets.non_digits()) if report else (None, None)
    of_test = answers(predictor, test.images)
    numbers: dict[str, Any] = {
        "mnist_test": digit_metrics(of_test, test.labels),
        "held_out_writers": None,
        "letters": None,
        "pendigits_reporting": None,
        "omniglot": None,
        "kept": measure_invariance(predictor),
        "called_a_digit": measure_acceptance(predictor),
    }
    images = [test.images]
    held_out = load_held_out_writers()
    if held_out is not None:
        none = held_out.labels == NO_DIGIT
        of_held_out = answers(predictor, held_out.images[~none])
        numbers["held_out_writers"] = digit_metrics(of_held_out, held_out.labels[~none])
        numbers["letters"] = non_digit_metrics(answers(predictor, held_out.images[none]), of_held_out)
    if drawn is not None and others is not None:
        of_drawn = answers(predictor, drawn.images)
        numbers["pendigits_reporting"] = digit_metrics(of_drawn, drawn.labels)
        numbers["omniglot"] = non_digit_metrics(answers(predictor, others), of_drawn)
        images.append(drawn.images)
    numbers["served_as_eager"] = _onnx_agreement(predictor, images)
    return numbers


def flat_metrics(numbers: dict[str, Any]) -> dict[str, float | None]:
    """Metrics by title, in display order; None if not measured."""
    found: dict[str, float | None] = {}
    for title, key in DIGIT_SETS.items():
        of = numbers.get(key) or {}
        found[f"{title}, {ACCURACY}"] = of.get("accuracy")
        found[f"{title}, calibration error in 15 bins"] = of.get("calibration_error")
        found[f"{title}, rejected as not a digit"] = of.get("called_no_digit")
    for key, digits, title in OTHER_SETS:
        others = numbers.get(key) or {}
        found[f"AUROC of digit_score, {digits} against {title}"] = others.get("area_under_curve")
        found[f"{title}, accepted as a digit"] = others.get("called_digit")
    found |= {f"{kind}, accepted as a digit": share for kind, share in numbers["called_a_digit"].items()}
    found |= {f"invariance, same digit when {change}": share for change, share in numbers["kept"].items()}
    found["same digit in ONNX Runtime and in torch"] = numbers["served_as_eager"]
    return found


def rows(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Metrics as texts by title; accuracies with their 95 % interval."""
    texts = {name: percent(value) for name, value in flat_metrics(numbers).items()}
    for title, key in DIGIT_SETS.items():
        if numbers.get(key):
            low, high = numbers[key]["accuracy_interval"]
            texts[f"{title}, {ACCURACY}"] += f" ({low:.2%} to {high:.2%})"
    return list(texts.items())


def percent(share: float | None) -> str:
    """Format a share as a percentage; None gives "not measured"."""
    return NOT_MEASURED if share is None else f"{share:.2%}"


def _onnx_agreement(predictor: AnyPredictor, images: Sequence[NDArray[np.uint8]]) -> float | None:
    """The share of images with the same digit in ONNX Runtime and in torch.

    None if torch serves, and for an archive.
    """
    if not isinstance(predictor, Predictor) or predictor.runtime == "torch":
        return None
    in_torch = Predictor(
        predictor.model,
        predictor.temperature,
        predictor.digit_threshold,
        predictor.version,
        tta_below=predictor.tta_below,
    )
    same = [
        predictor.logits(batch)[:, :DIGITS].argmax(axis=1)
        == in_torch.logits(batch)[:, :DIGITS].argmax(axis=1)
        for part in images
        for batch in batches(part)
    ]
    return float(np.concatenate(same).mean())
