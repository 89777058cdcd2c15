"""What is to be drawn: strokes of control points, written as text, and the smooth curves through them.

    parse("24,26! 24,10! 78,9! 58,48 46,94 / 38,52 76,50")   # a seven with a flag and a bar

A point is x,y on a square of 100 x 100, y down. Strokes are divided by " / "; the pen turns sharply at a point that
ends in "!". A stroke that ends where it began is closed, and smooth there. A stroke of one point is a dot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

UNIT = 100.0  # the side of the square that a figure is written on
STEPS = 8  # points of the curve between two control points

Points: TypeAlias = NDArray[np.float64]  # (n, 2): x, y


@dataclass(frozen=True)
class Stroke:
    """Control points (n, 2) and, for each, whether the pen turns sharply there."""

    points: Points
    corners: tuple[bool, ...]

    @property
    def closed(self) -> bool:
        return len(self.points) > 2 and bool((self.points[0] == self.points[-1]).all())


Figure = tuple[Stroke, ...]


def parse(text: str) -> Figure:
    """The figure that a text describes. Raises ValueError with the part that is no point."""
    return tuple(_stroke(part) for part in text.split(" / "))


def _stroke(text: str) -> Stroke:
    points, corners = [], []
    for word in text.split():
        pair = word.removesuffix("!").split(",")
        try:
            x, y = (float(value) for value in pair)
        except ValueError:
            raise ValueError(f"{word!r} in {text!r} is not a point; write x,y or x,y! for a corner") from None
        points.append((x, y))
        corners.append(word.endswith("!"))
    return smooth(points, corners)


def smooth(points: Sequence[tuple[float, float]] | Points, corners: Sequence[bool] | None = None) -> Stroke:
    """A stroke through these points, without corners unless they are given."""
    array = np.asarray(points, np.float64)
    return Stroke(array, tuple(corners) if corners is not None else (False,) * len(array))


def polygon(points: Sequence[tuple[float, float]] | Points) -> Stroke:
    """A stroke of straight lines."""
    return smooth(points, [True] * len(points))


def curve(points: Points, corners: tuple[bool, ...], *, closed: bool) -> Points:
    """Close points (m, 2) on the Catmull-Rom spline through the control points, straight between two corners."""
    return _basis(corners, closed) @ points


@lru_cache(maxsize=4096)
def _basis(corners: tuple[bool, ...], closed: bool) -> Points:
    """(m, n): the spline is linear in its control points, so each stroke's form needs this only once."""
    count = len(corners)
    if count == 1:
        return np.ones((1, 1))
    ends = {0, count - 1} | {i for i in range(count) if corners[i]}
    t = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    weights = 0.5 * np.hstack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
    )
    identity = np.eye(count)
    rows = []
    for i in range(count - 1):
        before = identity[i - 1] if i not in ends else 2 * identity[i] - identity[i + 1]
        after = identity[i + 2] if i + 1 not in ends else 2 * identity[i + 1] - identity[i]
        if closed and not (corners[0] or corners[-1]):
            before = identity[-2] if i == 0 else before
            after = identity[1] if i == count - 2 else after
        rows.append(weights @ np.stack([before, identity[i], identity[i + 1], after]))
    return np.concatenate([*rows, identity[-1:]])
