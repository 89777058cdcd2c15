"""What a model has not learned from, in two halves: one to choose a challenger by, and one that only judges it.

to_choose, to_judge = halves(validation, held_out)
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.data import Digits
from training.strokes.generate import Drawings

Known: TypeAlias = tuple[Digits, Drawings]  # MNIST's validation split, and drawings in styles held out


def halves(validation: Digits, held_out: Drawings) -> tuple[Known, Known]:
    """The half of each that chooses, and the half that judges: always the same of the same.

    How far to go, the temperature and the threshold are what does best, or loses nothing, on the drawings that they are
    chosen by: in part by chance. Judged by these very drawings a challenger would seem better than it is, so others
    judge it, which had no say. (By both halves `make train` chose the first champion: that can only speak for the
    champion.) Each of MNIST's digits and each style is divided evenly.
    """
    of_validation, of_held_out = _every_other(validation.labels), _every_other(held_out.styles)
    return (
        (validation.take(np.flatnonzero(of_validation)), held_out.take(np.flatnonzero(of_held_out))),
        (validation.take(np.flatnonzero(~of_validation)), held_out.take(np.flatnonzero(~of_held_out))),
    )


def _every_other(of: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,), true for every other place among those that are of the same."""
    chosen = np.zeros(len(of), bool)
    # Not simply every other place: generated drawings come as 0, 1, 2 ... in turn, and that would be the even digits.
    chosen[np.argsort(of, kind="stable")[::2]] = True
    return chosen
