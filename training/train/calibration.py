"""Calibration: temperature scaling, Platt scaling of digit scores, calibration error and AUROC.

C. Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from handler.predictor import DIGITS

BINS = 15
TEMPERATURES = (0.25, 4.0)
CANDIDATES = 25


def fit_temperature(logits: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.int64]]) -> float:
    """The temperature with the lowest cross-entropy; the groups have equal weight.

    For each group: logits (N, 10 or more), of which the first ten count, and labels 0 to 9, (N,). The loss has one
    minimum; a second grid search refines the first between the neighbours of its best candidate.
    """
    groups = [
        (torch.from_numpy(group[:, :DIGITS]).double(), torch.from_numpy(truth))
        for group, truth in zip(logits, labels, strict=True)
    ]
    low, high = TEMPERATURES
    for _ in range(2):
        candidates = np.geomspace(low, high, CANDIDATES)
        losses = [
            sum(F.cross_entropy(group / temperature, truth).item() for group, truth in groups)
            for temperature in candidates
        ]
        best = int(np.argmin(losses))
        low, high = candidates[max(best - 1, 0)], candidates[min(best + 1, CANDIDATES - 1)]
    return float(candidates[best])


def fit_score_line(digits: NDArray[np.float64], others: NDArray[np.float64]) -> tuple[float, float]:
    """Platt scaling: slope and intercept for the log-odds (N,) of digits and (M,) of non-digits.

    Both classes have equal weight. J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    odds = np.concatenate([digits, others])[:, np.newaxis]
    is_digit = np.arange(len(odds)) < len(digits)
    # Almost no regularization: two parameters, thousands of samples.
    fitted = LogisticRegression(C=1e6, class_weight="balanced").fit(odds, is_digit)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def expected_calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """The mean distance between confidence and accuracy over BINS equal bins, weighted by their size; 0 to 1."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(confidence[bins == index].sum() - correct[bins == index].sum()) for index in range(BINS)]
    return float(sum(gaps) / len(confidence))


def area_under_curve(digits: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """AUROC, 0 to 1: the probability that a digit scores above a non-digit; a tie counts half.

    By ranks: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    if not len(digits) or not len(others):
        return float("nan")
    _, places, counts = np.unique(np.concatenate([digits, others]), return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2
    of_digits = mean_ranks[places[: len(digits)]].sum() - len(digits) * (len(digits) + 1) / 2
    return float(of_digits / (len(digits) * len(others)))
