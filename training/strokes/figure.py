"""Figures: strokes of control points in text notation, and smooth curves through the points.

    parse("24,26! 24,10! 78,9! 58,48 46,94 / 38,52 76,50")   # a seven with a flag and a bar

A point is x,y on a square of 100 x 100, y down. " / " separates strokes. "!" after a point marks a corner. A stroke
with the same first and last point is closed, and smooth at that point. A stroke of one point is a dot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

UNIT = 100.0  # side of the square of a figure
STEPS = 8  # curve points for each pair of control points

Points: TypeAlias = NDArray[np.float64]  # (n, 2): x, y


@dataclass(frozen=True)
class Stroke:
    """Control points (n, 2), and for each whether it is a corner."""

    points: Points
    corners: tuple[bool, ...]

    @property
    def closed(self) -> bool:
        return len(self.points) > 2 and bool((self.points[0] == self.points[-1]).all())


Figure = tuple[Stroke, ...]


def parse(text: str) -> Figure:
    """Parse a figure from text. Raises ValueError for a word that is not a point; the message names it."""
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
    """A stroke through the points (n, 2); by default without corners."""
    array = np.asarray(points, np.float64)
    return Stroke(array, tuple(corners) if corners is not None else (False,) * len(array))


def polygon(points: Sequence[tuple[float, float]] | Points) -> Stroke:
    """A stroke of straight lines."""
    return smooth(points, [True] * len(points))


def find_box(lines: Sequence[Points]) -> tuple[Points, Points]:
    """The bounding box of all points: least and greatest x and y, (2,) each."""
    every = np.concatenate(list(lines))
    return every.min(axis=0), every.max(axis=0)


def rotation(angle: float) -> Points:
    """The matrix that rotates points by `points @ matrix`; the angle is in radians."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def curve(points: Points, corners: tuple[bool, ...], *, closed: bool) -> Points:
    """Points (m, 2) of the Catmull-Rom spline through the control points; straight from corner to corner."""
    return _basis(corners, closed) @ points


@lru_cache(maxsize=4096)
def _basis(corners: tuple[bool, ...], closed: bool) -> Points:
    """Matrix (m, n) from control points to curve points; cached, because it depends on the corners alone."""
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
