"""Test-time augmentation (TTA): where the network is uncertain, its logits are the mean of three passes.

    logits = add_tta(eager(model), below=0.9)
    logits(pixels)   # uint8 (N, 28, 28), ink 255, to float32 (N, outputs)

The second and third pass get the image shifted by half a pixel. The shift blurs it a little, so an answer that depends
on single pixels changes. Certain images skip these two passes.
"""

import numpy as np
from numpy.typing import NDArray

from handler.model import OUTPUTS
from handler.onnx_session import Logits
from handler.preprocessing import SIZE


def add_tta(logits: Logits, below: float) -> Logits:
    """The same network with TTA for images whose highest probability is less than `below`.

    The probability is that of the first OUTPUTS logits at temperature 1.
    """

    def mean_logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        result = logits(pixels)
        own = result[:, :OUTPUTS]
        highest = 1 / np.exp(own - own.max(axis=1, keepdims=True)).sum(axis=1)
        uncertain = highest < below
        if uncertain.any():
            shifted = logits(np.concatenate(shift_half_a_pixel(pixels[uncertain])))
            result[uncertain] = (result[uncertain] + shifted.reshape(2, -1, result.shape[1]).sum(axis=0)) / 3
        return result

    return mean_logits


def shift_half_a_pixel(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Images (N, 28, 28) shifted by half a pixel down right, and up left: each pixel is the mean of four neighbours."""
    padded = np.zeros((len(pixels), SIZE + 2, SIZE + 2), np.uint16)
    padded[:, 1:-1, 1:-1] = pixels
    pairs = padded[:, 1:] + padded[:, :-1]
    means = ((pairs[:, :, 1:] + pairs[:, :, :-1] + 2) // 4).astype(np.uint8)
    return [means[:, :SIZE, :SIZE], means[:, 1:, 1:]]
