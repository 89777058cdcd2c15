"""Divide the held-out data of a retraining into a selection split and a test split.

selection, test = split_for_selection(EvaluationData(validation, held_out))
"""

import numpy as np
from numpy.typing import NDArray

from training.train.checkpoint import EvaluationData


def split_for_selection(data: EvaluationData) -> tuple[EvaluationData, EvaluationData]:
    """The selection split and the test split, of equal size; deterministic, stratified by digit and by style.

    The selection split selects the interpolation factor, the temperature and the threshold. The challenger's results
    on it are too optimistic, so the test split judges the challenger. `make train` selected the first champion on both
    splits, which can only favour the champion.
    """
    digits, drawings = _divide(data.validation.labels), _divide(data.held_out.styles)
    selection, test = (
        EvaluationData(data.validation.take(of_digits), data.held_out.take(of_drawings))
        for of_digits, of_drawings in zip(digits, drawings, strict=True)
    )
    return selection, test


def _divide(groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indices of every other sample in each group, and of the other samples."""
    # Sorted by group: generated drawings come as 0, 1, 2 ... in turn, so every other one has an even digit.
    order = np.argsort(groups, kind="stable")
    return np.sort(order[::2]), np.sort(order[1::2])
