"""Render pen strokes by people on the page's canvas.

draw_variation(strokes, rng)   # for training: random brush, size, position, slant and device errors
draw_original(strokes, rng)    # for selection: original shape, with a brush like the page's
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter1d

from training.strokes.figure import Points
from training.strokes.hand import Amounts, place, rewrite
from training.strokes.pen import draw, keep_inside, render

# Less variation than for figures, because real strokes vary already. Lengths in UNIT.
VARIATION = Amounts(
    stroke=1.0, proportion=0.12, warp=2.0, slant=0.15, mean_slant=0.0, rotation=4.0, width=0.12
)
NO_VARIATION = Amounts(
    stroke=0.0, proportion=0.0, warp=0.0, slant=0.0, mean_slant=0.0, rotation=0.0, width=0.0
)
# Share of drawings from a slow device, which loses samples, and the least share of samples that remains.
SLOW_SHARE, LEAST_SAMPLES = 0.4, 0.15
SMOOTH_SHARE = 0.4  # share of drawings with smoothed strokes, over 3 or 5 samples
# As in the reporting sets: pixels of the canvas, and shares of its side.
BRUSHES, LEAST_SIZE, MOST_SIZE = (16.0, 22.0), 0.4, 0.8


def draw_variation(strokes: Sequence[Points], rng: np.random.Generator) -> Image.Image:
    """Render a variation of strokes, (n, 2) each with y down: an image "L" of 280 x 280."""
    if rng.random() < SLOW_SHARE:
        share = rng.uniform(LEAST_SAMPLES, 1)
        strokes = [_drop_samples(stroke, share, rng) for stroke in strokes]
    if rng.random() < SMOOTH_SHARE:
        window = int(rng.choice([3, 5]))
        strokes = [_smooth(stroke, window) for stroke in strokes]
    return draw(place(rewrite(strokes, rng, VARIATION), rng), rng)


def draw_original(strokes: Sequence[Points], rng: np.random.Generator) -> Image.Image:
    """Render strokes, (n, 2) each with y down, at a random position: an image "L" of 280 x 280."""
    brush = rng.uniform(*BRUSHES)
    paths = place(rewrite(strokes, rng, NO_VARIATION), rng, LEAST_SIZE, MOST_SIZE)
    return render(keep_inside(paths, brush), brush)


def _drop_samples(stroke: Points, share: float, rng: np.random.Generator) -> Points:
    kept = rng.random(len(stroke)) < share
    kept[[0, -1]] = True
    return stroke[kept]


def _smooth(stroke: Points, window: int) -> Points:
    """Moving average over `window` samples; a stroke of fewer samples stays."""
    return uniform_filter1d(stroke, window, axis=0, mode="nearest") if len(stroke) > window else stroke
