"""Calibration: temperature scaling, Platt scaling of digit scores, calibration error and AUROC.

C. Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from handler.model import DIGITS

BINS = 15
TEMPERATURES = (0.25, 4.0)


def fit_temperature(logits: Sequence[NDArray[np.float32]], labels: Sequence[NDArray[np.int64]]) -> float:
    """The temperature with the lowest cross-entropy; the groups have equal weight.

    For each group: logits (N, 10 or more), of which the first ten count, and labels 0 to 9, (N,).
    """
    groups = [
        (torch.from_numpy(group[:, :DIGITS]).double(), torch.from_numpy(truth))
        for group, truth in zip(logits, labels, strict=True)
    ]

    def loss(log_temperature: float) -> float:
        return sum(F.cross_entropy(group / np.exp(log_temperature), truth).item() for group, truth in groups)

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


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
    gaps = np.bincount(calibration_bins(confidence), confidence - correct)
    return float(np.abs(gaps).sum() / len(confidence))


def calibration_bins(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The number of the bin, 0 to BINS - 1, of each confidence, (N,)."""
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def area_under_curve(digits: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """AUROC, 0 to 1: the probability that a digit scores above a non-digit; NaN without any of them."""
    if not len(digits) or not len(others):
        return float("nan")
    is_digit = np.arange(len(digits) + len(others)) < len(digits)
    return float(roc_auc_score(is_digit, np.concatenate([digits, others])))
