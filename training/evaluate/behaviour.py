"""Behavioural tests: invariance of the predicted digit, and acceptance of non-digits.

    measure_invariance(predictor)   # {"moved": 0.998, "scaled to 30 to 100 % of the canvas": 0.994, ...}
    measure_acceptance(predictor)   # {"blank": 0.0, "dot": 0.0, ...}

The digits are generated in all styles. The non-digits come from separate code that no training data uses.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from handler.preprocessing import preprocess
from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.batches import predict_all
from training.strokes import digits
from training.strokes.figure import Points, find_box, rotation
from training.strokes.hand import CANVAS, shape
from training.strokes.pen import render

COUNT = 1000
SEED = 2026


@dataclass(frozen=True)
class Drawing:
    """Lines of a digit, centred, in units of its longer side; the other lengths are in pixels."""

    lines: list[Points]
    size: float = 0.6 * CANVAS  # of the longer side, brush included
    brush: float = 18.0
    middle: tuple[float, float] = (CANVAS / 2, CANVAS / 2)
    degrees: float = 0.0
    inverted: bool = False

    def image(self) -> Image.Image:
        """The canvas, mode "L"."""
        turn = rotation(np.radians(self.degrees))
        paths = [line @ turn * (self.size - self.brush) + self.middle for line in self.lines]
        canvas = render(paths, self.brush)
        return ImageOps.invert(canvas) if self.inverted else canvas


Inputs: TypeAlias = NDArray[np.uint8]  # as the network gets them: (N, 28, 28)
Rng: TypeAlias = np.random.Generator
Change: TypeAlias = Callable[[Drawing, Rng], Drawing]


def _move(drawing: Drawing, rng: Rng) -> Drawing:
    half = drawing.size / 2
    x, y = rng.uniform(half, CANVAS - half, 2)
    return replace(drawing, middle=(float(x), float(y)))


CHANGES: dict[str, Change] = {
    "moved": _move,
    "scaled to 30 to 100 % of the canvas": lambda it, rng: replace(it, size=rng.uniform(0.3, 1) * CANVAS),
    "drawn with a brush of 6 to 30 pixels": lambda it, rng: replace(it, brush=rng.uniform(6, 30)),
    "inverted": lambda it, _: replace(it, inverted=True),
    "rotated by 10 degrees": lambda it, rng: replace(it, degrees=float(rng.choice([-10, 10]))),
}


def measure_invariance(predictor: AnyPredictor, count: int = COUNT) -> dict[str, float]:
    """The share of `count` generated digits with the same prediction after each change, 0 to 1."""
    originals, changed = _make_changes(count)
    before = [answer.digit for answer in predict_all(predictor, originals)]
    return {
        name: float(np.mean([answer.digit for answer in predict_all(predictor, inputs)] == np.array(before)))
        for name, inputs in changed.items()
    }


def measure_acceptance(predictor: AnyPredictor, count: int = COUNT) -> dict[str, float]:
    """The share of `count` non-digits of each kind with a true `is_digit`, 0 to 1."""
    return {
        name: float(np.mean([answer.is_digit for answer in predict_all(predictor, inputs)]))
        for name, inputs in _make_non_digits(count).items()
    }


# Cached for the comparison of two models: drawing takes longer than prediction.
@lru_cache(maxsize=1)
def _make_changes(count: int) -> tuple[Inputs, dict[str, Inputs]]:
    """Generated digits, and the same digits after each change."""
    rng = np.random.default_rng(SEED)
    drawings = [_draw(digits.STYLES[i % len(digits.STYLES)], rng) for i in range(count)]
    return _prepare(drawing.image() for drawing in drawings), {
        name: _prepare(change(drawing, rng).image() for drawing in drawings)
        for name, change in CHANGES.items()
    }


@lru_cache(maxsize=1)
def _make_non_digits(count: int) -> dict[str, Inputs]:
    rng = np.random.default_rng(SEED)
    return {name: _prepare(make(rng) for _ in range(count)) for name, make in NON_DIGITS.items()}


def _prepare(images: Iterable[Image.Image]) -> Inputs:
    return np.stack([preprocess(image) for image in images])


def _draw(style: digits.Style, rng: Rng) -> Drawing:
    lines = shape(style.figure(rng), rng)
    low, high = find_box(lines)
    return Drawing([(line - (low + high) / 2) / (high - low).max() for line in lines])


def blank(rng: Rng) -> Image.Image:
    """A canvas of one grey."""
    return Image.new("L", (CANVAS, CANVAS), int(rng.integers(256)))


def dot(rng: Rng) -> Image.Image:
    """One round dot."""
    canvas, (x, y), radius = Image.new("L", (CANVAS, CANVAS)), rng.uniform(30, 250, 2), rng.uniform(3, 20)
    ImageDraw.Draw(canvas).ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return canvas


def full_canvas(rng: Rng) -> Image.Image:
    """An almost full canvas, painted line by line."""
    canvas = Image.new("L", (CANVAS, CANVAS))
    pen, y = ImageDraw.Draw(canvas), 0.0
    while y < CANVAS:
        pen.line([0, y + rng.normal(0, 3), CANVAS, y + rng.normal(0, 3)], fill=255, width=30)
        y += rng.uniform(20, 29)
    return canvas


def scribble(rng: Rng) -> Image.Image:
    """A random walk with smooth turns; the edges reflect it."""
    count = int(rng.integers(150, 600))
    heading = np.cumsum(rng.normal(0, rng.uniform(0.25, 0.6), count)) + rng.uniform(0, 2 * np.pi)
    walk = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1) * 9, axis=0) + 140
    reflected = np.abs((walk - 20) % 480 - 240) + 20  # at each edge
    canvas = Image.new("L", (CANVAS, CANVAS))
    width = int(rng.integers(6, 22))
    ImageDraw.Draw(canvas).line(reflected.ravel().tolist(), fill=255, width=width, joint="curve")
    return canvas


NON_DIGITS: dict[str, Callable[[Rng], Image.Image]] = {
    "blank": blank,
    "dot": dot,
    "full canvas": full_canvas,
    "scribble": scribble,
}
