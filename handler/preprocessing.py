"""Any picture of a digit, made into what MNIST's digits are.

    pixels = preprocess(Image.open("seven.png"))   # uint8 (28, 28), ink 255 on 0

MNIST's own preparation: the longer side of the ink scaled to 20 pixels, its shape kept, anti-aliased,
then moved by whole pixels until its centre of mass is the centre of a 28x28 frame (Y. LeCun,
C. Cortes, C. Burges, "The MNIST database of handwritten digits"). An MNIST image comes back
nearly as it was.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.components import Box
from handler.ink import find_inks
from handler.pick import Ink

SIZE = 28
DIGIT_SIZE = 20
PLACES = np.arange(DIGIT_SIZE)


class Candidate(NamedTuple):
    """One way to see the digit of an image: pixels uint8 (28, 28), ink 255 on 0, and the ink that they show."""

    pixels: NDArray[np.uint8]
    ink: Ink


def candidates(image: Image.Image) -> list[Candidate]:
    """What the model may see of an image, at most three, the most likely first; none for a blank.

    The image may have any mode and any size; which of dark and light is ink is found out. A drawing gives one.
    """
    return [Candidate(_centred(Image.fromarray(ink.layer), ink.inked), ink) for ink in find_inks(image)]


def preprocess(image: Image.Image) -> NDArray[np.uint8]:
    """What the model most likely sees of an image: uint8 (28, 28), ink 255 on paper 0; a blank gives all 0."""
    found = candidates(image)
    return found[0].pixels if found else np.zeros((SIZE, SIZE), np.uint8)


def _centred(ink: Image.Image, box: Box) -> NDArray[np.uint8]:
    frame = np.zeros((SIZE, SIZE), np.uint8)
    digit = _scaled(ink, box)
    top, left = _corner(digit)
    height, width = digit.shape
    frame[top : top + height, left : left + width] = digit
    return frame


def _scaled(ink: Image.Image, box: Box) -> NDArray[np.uint8]:
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
    corner = []
    for axis in (1, 0):
        mass = digit.sum(axis=axis, dtype=np.int64)
        first = round(SIZE / 2 - float(mass @ PLACES[: len(mass)] / mass.sum()))
        corner.append(min(max(first, 0), SIZE - len(mass)))
    return corner[0], corner[1]
