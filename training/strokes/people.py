"""People's own pen strokes as the model will see them: each drawn many times, never twice the same.

draw_again(strokes, rng)      # to learn from: brush, size, place, slant and what a device does vary
draw_as_it_is(strokes, rng)   # to choose by: on the page's canvas with its brush
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from training.strokes.figure import Points
from training.strokes.hand import CANVAS, Amounts, place, rewrite
from training.strokes.pen import draw, render

# A person's strokes vary by themselves: less is added than to a figure. Lengths in parts of 100.
AGAIN = Amounts(stroke=1.0, proportion=0.12, warp=2.0, slant=0.15, mean_slant=0.0, rotation=4.0, width=0.12)
AS_IT_IS = Amounts(stroke=0.0, proportion=0.0, warp=0.0, slant=0.0, mean_slant=0.0, rotation=0.0, width=0.0)
# Of drawings: those whose device is so slow that samples are lost, and the least share of samples that it keeps.
SLOW_SHARE, LEAST_KEPT = 0.4, 0.15
SMOOTH_SHARE = 0.4  # of drawings are smoothed, over 3 or 5 samples
# The reporting sets' own: pixels of the canvas, and shares of its side.
BRUSHES, LEAST_SIZE, MOST_SIZE = (16.0, 22.0), 0.4, 0.8


def draw_again(strokes: Sequence[Points], rng: np.random.Generator) -> Image.Image:
    """The strokes, (n, 2) each with y down, as the same person may draw them another time: "L", 280 x 280."""
    if rng.random() < SLOW_SHARE:
        share = rng.uniform(LEAST_KEPT, 1)
        strokes = [_with_samples_lost(stroke, share, rng) for stroke in strokes]
    if rng.random() < SMOOTH_SHARE:
        window = int(rng.choice([3, 5]))
        strokes = [_smoothed(stroke, window) for stroke in strokes]
    return draw(place(rewrite(strokes, rng, AGAIN), rng), rng)


def draw_as_it_is(strokes: Sequence[Points], rng: np.random.Generator) -> Image.Image:
    """The strokes, (n, 2) each with y down, somewhere on the canvas: "L", 280 x 280."""
    brush = rng.uniform(*BRUSHES)
    paths = place(rewrite(strokes, rng, AS_IT_IS), rng, LEAST_SIZE, MOST_SIZE)
    paths = [path * ((CANVAS - brush) / CANVAS) + brush / 2 for path in paths]
    return render(paths, [np.full(len(path), brush) for path in paths])


def _with_samples_lost(stroke: Points, share: float, rng: np.random.Generator) -> Points:
    kept = rng.random(len(stroke)) < share
    kept[[0, -1]] = True
    return stroke[kept]


def _smoothed(stroke: Points, window: int) -> Points:
    """The moving average, with both ends where they were."""
    if len(stroke) <= window:
        return stroke
    edge = window // 2
    padded = np.concatenate([stroke[:1].repeat(edge, 0), stroke, stroke[-1:].repeat(edge, 0)])
    return np.stack([np.convolve(axis, np.full(window, 1 / window), "valid") for axis in padded.T], axis=1)
