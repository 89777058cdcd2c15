"""Any picture of a digit, made into what MNIST's digits are.

    pixels = preprocess(Image.open("seven.png"))   # uint8 (28, 28), ink 255 on 0

MNIST's own preparation: the longer side of the ink scaled to 20 pixels, its shape kept, anti-aliased,
then moved by whole pixels until its centre of mass is the centre of a 28x28 frame (Y. LeCun,
C. Cortes, C. Burges, "The MNIST database of handwritten digits"). An MNIST image comes back
nearly as it was.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.ink import find_ink

SIZE = 28
DIGIT_SIZE = 20


def preprocess(image: Image.Image) -> NDArray[np.uint8]:
    """What the model sees of an image: uint8 (28, 28), ink 255 on paper 0; a blank gives all 0.

    The image may have any mode and any size; which of dark and light is ink is found out.
    """
    frame = np.zeros((SIZE, SIZE), np.uint8)
    ink = find_ink(image)
    box = ink.getbbox() if ink is not None else None
    if ink is None or box is None:
        return frame
    digit = _scaled(ink, box)
    top, left = _corner(digit)
    height, width = digit.shape
    frame[top : top + height, left : left + width] = digit
    return frame


def _scaled(ink: Image.Image, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The ink in the box with its longer side DIGIT_SIZE long, its darkest point 255."""
    width, height = box[2] - box[0], box[3] - box[1]
    longer = max(width, height)
    size = (max(1, round(width * DIGIT_SIZE / longer)), max(1, round(height * DIGIT_SIZE / longer)))
    # The mean over each pixel's area is what scaled MNIST; it would leave squares when scaling up.
    method = Image.Resampling.BOX if longer >= DIGIT_SIZE else Image.Resampling.BICUBIC
    digit = np.asarray(ink.resize(size, method, box=box))
    darkest = int(digit.max())
    if 0 < darkest < 255:
        # A line thinner than a pixel of the frame comes out grey: MNIST's pen always leaves black.
        digit = (digit * np.float32(255 / darkest)).round().astype(np.uint8)
    return digit


def _corner(digit: NDArray[np.uint8]) -> tuple[int, int]:
    """Where the digit's first row and column go, so that its centre of mass is the frame's centre."""
    mass = digit.sum(dtype=np.int64)
    rows = digit.sum(axis=1, dtype=np.int64) @ np.arange(digit.shape[0])
    columns = digit.sum(axis=0, dtype=np.int64) @ np.arange(digit.shape[1])
    corner = []
    for moment, length in ((rows, digit.shape[0]), (columns, digit.shape[1])):
        first = round(SIZE / 2 - float(moment / mass))
        corner.append(min(max(first, 0), SIZE - length))
    return corner[0], corner[1]
