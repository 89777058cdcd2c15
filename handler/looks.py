"""Looking again at what the network is not sure of: moved by half a pixel to two sides, and the mean of what it says.

    logits = looking_again(eager(model), below=0.95)
    logits(pixels)   # uint8 (N, 28, 28), ink 255, to float32 (N, outputs)

Moved by half a pixel a picture is a little softer, and an answer that hung on single pixels changes. That costs two
more looks, so it is done where it may change anything.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from handler.compiled import Logits
from handler.model import OUTPUTS
from handler.preprocessing import SIZE


def looking_again(logits: Logits, below: float) -> Logits:
    """The same network, which takes the mean of three looks at what none of its outputs is `below` or more for.

    `below` is a probability above 0, at temperature 1, of the first OUTPUTS logits.
    """

    def answered(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        once = logits(pixels)
        own = once[:, :OUTPUTS]
        unsure = own.max(axis=1) - np.logaddexp.reduce(own, axis=1) < np.log(below)
        if unsure.any():
            looks = [once[unsure], *(logits(moved) for moved in half_a_pixel_away(pixels[unsure]))]
            once[unsure] = np.mean(looks, axis=0)
        return once

    return answered


def half_a_pixel_away(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Pictures (N, 28, 28) moved by half a pixel down right, and up left: each pixel the mean of four neighbours."""
    padded = np.pad(pixels.astype(np.uint16), ((0, 0), (1, 1), (1, 1)))
    looks = []
    for first in (0, 1):
        neighbours = [
            padded[:, first + down : first + down + SIZE, first + right : first + right + SIZE]
            for down, right in product((0, 1), repeat=2)
        ]
        looks.append(((sum(neighbours) + 2) // 4).astype(np.uint8))
    return looks
