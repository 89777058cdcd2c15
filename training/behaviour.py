"""What a drawing may change without another answer, and what must not be called a digit.

    kept(predictor)            # {"moved": 0.998, "scaled to 30 to 100 % of the canvas": 0.994, ...}
    called_a_digit(predictor)  # {"blank": 0.0, "dot": 0.0, ...}

The digits are the generator's, in all its styles; what is no digit here is of a making of its own, which no model has
learned from.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from handler.preprocessing import preprocess
from training.archived import AnyPredictor
from training.batches import predicted
from training.strokes import digits
from training.strokes.figure import Points
from training.strokes.hand import CANVAS, shape
from training.strokes.pen import render

COUNT = 1000
SEED = 2026


@dataclass(frozen=True)
class Drawn:
    """A digit's lines, in parts of its longer side about its middle, and how they are drawn; lengths in pixels."""

    lines: list[Points]
    size: float = 0.6 * CANVAS  # of the longer side, brush included
    brush: float = 18.0
    middle: tuple[float, float] = (CANVAS / 2, CANVAS / 2)
    degrees: float = 0.0
    inverted: bool = False

    def image(self) -> Image.Image:
        """The canvas, mode "L"."""
        angle = np.radians(self.degrees)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        paths = [line @ turn * (self.size - self.brush) + self.middle for line in self.lines]
        canvas = render(paths, [np.full(len(path), self.brush) for path in paths])
        return ImageOps.invert(canvas) if self.inverted else canvas


Inputs: TypeAlias = NDArray[np.uint8]  # as the network gets them: (N, 28, 28)
Change = Callable[[Drawn, np.random.Generator], Drawn]


def _moved(drawn: Drawn, rng: np.random.Generator) -> Drawn:
    half = drawn.size / 2
    x, y = rng.uniform(half, CANVAS - half, 2)
    return replace(drawn, middle=(float(x), float(y)))


CHANGES: dict[str, Change] = {
    "moved": _moved,
    "scaled to 30 to 100 % of the canvas": lambda drawn, rng: replace(
        drawn, size=float(rng.uniform(0.3, 1) * CANVAS)
    ),
    "drawn with a brush of 6 to 30 pixels": lambda drawn, rng: replace(
        drawn, brush=float(rng.uniform(6, 30))
    ),
    "inverted": lambda drawn, _: replace(drawn, inverted=True),
    "rotated by 10 degrees": lambda drawn, rng: replace(drawn, degrees=float(rng.choice([-10, 10]))),
}


def kept(predictor: AnyPredictor, count: int = COUNT, seed: int = SEED) -> dict[str, float]:
    """The share of `count` drawn digits that keep their answer, by what was changed about them."""
    unchanged, changed = _changed(count, seed)
    before = predicted(predictor, unchanged)
    shares = {}
    for name, inputs in changed.items():
        after = predicted(predictor, inputs)
        same = [one.digit == other.digit for one, other in zip(before, after, strict=True)]
        shares[name] = float(np.mean(same))
    return shares


def called_a_digit(predictor: AnyPredictor, count: int = COUNT, seed: int = SEED) -> dict[str, float]:
    """The share of `count` drawings of each kind of nothing that `is_digit` says yes to."""
    return {
        name: float(np.mean([answer.is_digit for answer in predicted(predictor, inputs)]))
        for name, inputs in _nothings(count, seed).items()
    }


# Two models are compared on the same drawings, and to make these takes longer than to answer them.
@lru_cache(maxsize=1)
def _changed(count: int, seed: int) -> tuple[Inputs, dict[str, Inputs]]:
    """Drawn digits, and the same by what was changed about them."""
    rng = np.random.default_rng(seed)
    drawings = [_drawn(digits.STYLES[i % len(digits.STYLES)], rng) for i in range(count)]
    return _prepared(drawn.image() for drawn in drawings), {
        name: _prepared(change(drawn, rng).image() for drawn in drawings) for name, change in CHANGES.items()
    }


@lru_cache(maxsize=1)
def _nothings(count: int, seed: int) -> dict[str, Inputs]:
    rng = np.random.default_rng(seed)
    return {name: _prepared(make(rng) for _ in range(count)) for name, make in NOTHINGS.items()}


def _prepared(images: Iterable[Image.Image]) -> Inputs:
    return np.stack([preprocess(image) for image in images])


def _drawn(style: digits.Style, rng: np.random.Generator) -> Drawn:
    lines = shape(style.figure(rng), rng)
    every = np.concatenate(lines)
    low, high = every.min(axis=0), every.max(axis=0)
    return Drawn([(line - (low + high) / 2) / (high - low).max() for line in lines])


def blank(rng: np.random.Generator) -> Image.Image:
    """One colour."""
    return Image.new("L", (CANVAS, CANVAS), int(rng.integers(256)))


def dot(rng: np.random.Generator) -> Image.Image:
    """One round touch of the brush."""
    canvas, (x, y), radius = Image.new("L", (CANVAS, CANVAS)), rng.uniform(30, 250, 2), rng.uniform(3, 20)
    ImageDraw.Draw(canvas).ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return canvas


def full_canvas(rng: np.random.Generator) -> Image.Image:
    """Painted over and over, line by line, until hardly any paper is left."""
    canvas = Image.new("L", (CANVAS, CANVAS))
    pen, y = ImageDraw.Draw(canvas), 0.0
    while y < CANVAS:
        pen.line([0, y + rng.normal(0, 3), CANVAS, y + rng.normal(0, 3)], fill=255, width=30)
        y += rng.uniform(20, 29)
    return canvas


def scribble(rng: np.random.Generator) -> Image.Image:
    """A pen that wanders over the canvas, turning as it likes, and back from its edges."""
    count = int(rng.integers(150, 600))
    heading = np.cumsum(rng.normal(0, rng.uniform(0.25, 0.6), count)) + rng.uniform(0, 2 * np.pi)
    walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1) * 9, axis=0) + 140
    folded = np.abs((walk - 20) % 480 - 240) + 20  # a mirror at each edge
    canvas = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(canvas).line(
        [tuple(place) for place in folded.tolist()], fill=255, width=int(rng.integers(6, 22)), joint="curve"
    )
    return canvas


NOTHINGS: dict[str, Callable[[np.random.Generator], Image.Image]] = {
    "blank": blank,
    "dot": dot,
    "full canvas": full_canvas,
    "scribble": scribble,
}
