"""Does an invented character happen to be a digit? A net cannot learn that the same drawing is both.

    lookalikes = Lookalikes.of_training_styles()
    lookalikes.hold(paths)   # list of (m, 2), as the hand wrote them

Compared by cosine similarity with drawings of each style that is trained on, all with one wide pen: what counts is
the shape, not the brush.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.strokes.digits import Style, styles
from training.strokes.figure import Points
from training.strokes.hand import write

DRAWINGS_PER_STYLE = 10
# Looked for by eye: above it about half are read as a digit by a person; below it a few still are, mostly wide ones.
SIMILAR = 0.78

FRAME, BOX, BRUSH, REDUCED = 64, 50, 7, 4  # pixels


@dataclass(frozen=True)
class Lookalikes:
    """Digits to compare with, float32 (N, 225): of mean 0 and length 1."""

    digits: NDArray[np.float32]

    @staticmethod
    @lru_cache(maxsize=1)
    def of_training_styles() -> "Lookalikes":
        """The same drawings each time; not of the styles held out, which training must not know of."""
        return Lookalikes(
            np.stack(
                [
                    _outline(_written(style, np.random.default_rng([number, i])))
                    for number, style in enumerate(styles())
                    for i in range(DRAWINGS_PER_STYLE)
                ]
            )
        )

    def similarity(self, paths: Sequence[Points]) -> float:
        """The cosine similarity with the nearest of the digits."""
        # Not by @, which would take a second thread from whoever else draws.
        return float(np.vecdot(self.digits, _outline(paths)).max())

    def hold(self, paths: Sequence[Points]) -> bool:
        """Whether this looks like one of the digits."""
        return self.similarity(paths) > SIMILAR


def _written(style: Style, rng: np.random.Generator) -> list[Points]:
    return write(style.figure(rng), rng)


def _outline(paths: Sequence[Points]) -> NDArray[np.float32]:
    every = np.concatenate(list(paths))
    low, high = every.min(axis=0), every.max(axis=0)
    scale = BOX / max(float((high - low).max()), 1e-6)
    image = Image.new("L", (FRAME, FRAME))
    pen = ImageDraw.Draw(image)
    for path in paths:
        places = ((path - (low + high) / 2) * scale + FRAME / 2).ravel().tolist()
        pen.line(places, fill=255, width=BRUSH)
    reduced = np.asarray(image.reduce(REDUCED), np.float32)
    # A stroke may lie a pixel aside.
    blurred = reduced[1:, 1:] + reduced[:-1, 1:] + reduced[1:, :-1] + reduced[:-1, :-1]
    blurred -= blurred.mean()
    return (blurred / max(float(np.linalg.norm(blurred)), 1e-6)).ravel()
