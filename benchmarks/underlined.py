"""A way to write digits that no recipe knows: with a line under each, as people do who fear that a 6 is read as a 9.

    drawn = underlined(500, seed=1)
    drawn[0].canvas, drawn[0].digit     # an image as the page's canvas holds it, and what was meant

The digits are written in the styles that are trained on, so that the line is what is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from training.strokes import digits
from training.strokes.figure import Points
from training.strokes.hand import place, shape
from training.strokes.pen import draw

# In parts of the digit's height: how far below it, and how far the line falls or rises; of its width, how long.
DISTANCE = (0.08, 0.2)
TILT = 0.02
HALF_LENGTH = (0.5, 0.8)
# A 1 has hardly a width, and its line is as long as those of others.
LEAST_WIDTH = 0.35


@dataclass(frozen=True)
class Underlined:
    """One drawing: "L", 280 x 280, ink 255; and its digit."""

    canvas: Image.Image
    digit: int


def underlined(count: int, seed: int) -> list[Underlined]:
    """So many drawings, each digit as often as any other; the same for the same seed."""
    by_digit = {digit: [style for style in digits.styles() if style.digit == digit] for digit in range(10)}
    drawn = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        styles = by_digit[number % 10]
        written = shape(styles[rng.integers(len(styles))].figure, rng)
        drawn.append(Underlined(draw(place(_with_line(written, rng), rng), rng), number % 10))
    return drawn


def _with_line(written: Sequence[Points], rng: np.random.Generator) -> list[Points]:
    every = np.concatenate(list(written))
    (left, top), (right, bottom) = every.min(axis=0), every.max(axis=0)
    height, middle = bottom - top, (left + right) / 2
    width = max(right - left, LEAST_WIDTH * height)
    below = bottom + height * rng.uniform(*DISTANCE)
    ends = [
        (middle + side * width * rng.uniform(*HALF_LENGTH), below + height * rng.normal(0, TILT))
        for side in (-1, 1)
    ]
    return [*written, np.linspace(*np.array(ends), 20)]
