"""Detect non-digits that resemble a digit by chance, for rejection sampling.

    resembles_digit(paths)   # list of (m, 2), output of hand.write

A network cannot learn two labels for the same drawing. The measure is the cosine similarity to drawings of each
training style. One wide brush draws all of them, so that only the shape counts.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.strokes.digits import styles
from training.strokes.figure import Points, find_box
from training.strokes.hand import write

DRAWINGS_PER_STYLE = 10
# Chosen by eye: a person reads about half of the drawings above it as a digit, and few below it, mostly wide ones.
SIMILAR = 0.78

FRAME, BOX, BRUSH, REDUCED = 64, 50, 7, 4  # pixels


def resembles_digit(paths: Sequence[Points]) -> bool:
    """Whether a drawing resembles a digit."""
    return similarity(paths) > SIMILAR


def similarity(paths: Sequence[Points]) -> float:
    """Cosine similarity to the nearest reference digit."""
    # Not `@`: it uses a second thread, and other processes draw at the same time.
    return float(np.vecdot(_reference_digits(), _outline(paths)).max())


@cache
def _reference_digits() -> NDArray[np.float32]:
    """Digits in the training styles, because training must not use held-out styles; deterministic.

    Float32 (N, 225), with mean 0 and length 1. Each process spends a second on them.
    """
    rngs = (
        (style, np.random.default_rng([number, i]))
        for number, style in enumerate(styles())
        for i in range(DRAWINGS_PER_STYLE)
    )
    return np.stack([_outline(write(style.figure(rng), rng)) for style, rng in rngs])


def _outline(paths: Sequence[Points]) -> NDArray[np.float32]:
    low, high = find_box(paths)
    scale = BOX / max(float((high - low).max()), 1e-6)
    image = Image.new("L", (FRAME, FRAME))
    pen = ImageDraw.Draw(image)
    for path in paths:
        places = ((path - (low + high) / 2) * scale + FRAME / 2).ravel().tolist()
        pen.line(places, fill=255, width=BRUSH)
    reduced = np.asarray(image.reduce(REDUCED), np.float32)
    # Tolerates a shift of one pixel.
    blurred = reduced[1:, 1:] + reduced[:-1, 1:] + reduced[1:, :-1] + reduced[:-1, :-1]
    blurred -= blurred.mean()
    return (blurred / max(float(np.linalg.norm(blurred)), 1e-6)).ravel()
