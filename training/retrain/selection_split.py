"""Divide the held-out data of a retraining into a selection split and a test split.

selection, test = split_for_selection(validation, held_out)
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.data.mnist import Digits
from training.strokes.generate import Drawings

Split: TypeAlias = tuple[Digits, Drawings]  # of MNIST's validation split and of the held-out drawings


def split_for_selection(validation: Digits, held_out: Drawings) -> tuple[Split, Split]:
    """The selection split and the test split, of equal size; deterministic, stratified by digit and by style.

    The selection split selects the interpolation factor, the temperature and the threshold. The challenger's results
    on it are too optimistic, so the test split judges the challenger. `make train` selected the first champion on both
    splits, which can only favour the champion.
    """
    of_validation, of_held_out = _every_other(validation.labels), _every_other(held_out.styles)
    return (
        (validation.take(np.flatnonzero(of_validation)), held_out.take(np.flatnonzero(of_held_out))),
        (validation.take(np.flatnonzero(~of_validation)), held_out.take(np.flatnonzero(~of_held_out))),
    )


def _every_other(groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask (N,) of every other sample in each group."""
    chosen = np.zeros(len(groups), bool)
    # Sorted by group: generated drawings come as 0, 1, 2 ... in turn, so every other one has an even digit.
    chosen[np.argsort(groups, kind="stable")[::2]] = True
    return chosen
