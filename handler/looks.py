"""Looking again at what the network is not sure of: moved by half a pixel to two sides, and the mean of what it says.

    logits = looking_again(eager(model), below=0.95)
    logits(pixels)   # uint8 (N, 28, 28), ink 255, to float32 (N, outputs)

Moved by half a pixel a picture is a little softer, and an answer that hung on single pixels changes. That costs two
more looks, so it is done where it may change anything.
"""

import numpy as np
from numpy.typing import NDArray

from handler.model import OUTPUTS
from handler.onnx_session import Logits
from handler.preprocessing import SIZE


def looking_again(logits: Logits, below: float) -> Logits:
    """The same network, which takes the mean of three looks at what none of its outputs is `below` or more for.

    `below` is a probability above 0, at temperature 1, of the first OUTPUTS logits.
    """

    def answered(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        once = logits(pixels)
        own = once[:, :OUTPUTS]
        highest = 1 / np.exp(own - own.max(axis=1, keepdims=True)).sum(axis=1)
        unsure = highest < below
        if unsure.any():
            looks = logits(np.concatenate(half_a_pixel_away(pixels[unsure])))
            once[unsure] = (once[unsure] + looks.reshape(2, -1, once.shape[1]).sum(axis=0)) / 3
        return once

    return answered


def half_a_pixel_away(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Pictures (N, 28, 28) moved by half a pixel down right, and up left: each pixel the mean of four neighbours."""
    padded = np.zeros((len(pixels), SIZE + 2, SIZE + 2), np.uint16)
    padded[:, 1:-1, 1:-1] = pixels
    of_rows = padded[:, 1:] + padded[:, :-1]
    means = ((of_rows[:, :, 1:] + of_rows[:, :, :-1] + 2) // 4).astype(np.uint8)
    return [means[:, :SIZE, :SIZE], means[:, 1:, 1:]]
