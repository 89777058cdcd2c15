"""Prepare any picture of a digit as MNIST's digits are.

    pixels = preprocess(Image.open("seven.png"))   # uint8 (28, 28), ink 255 on 0

MNIST's preparation: the ink is scaled, anti-aliased, until its longer side has 20 pixels. Then it is moved by whole
pixels until its centre of mass is the centre of a 28x28 frame (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of
handwritten digits"). An MNIST image is hardly changed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.box import Box
from handler.greys import Picture
from handler.ink import find_inks
from handler.pick import Ink

SIZE = 28
DIGIT_SIZE = 20
POSITIONS = np.arange(DIGIT_SIZE)


class Candidate(NamedTuple):
    """One candidate for the digit of an image: pixels uint8 (28, 28), ink 255 on 0, and the ink that they show."""

    pixels: NDArray[np.uint8]
    ink: Ink


def candidates(picture: Picture) -> list[Candidate]:
    """At most three inputs of the network for a picture, the most likely first; none for a blank.

    An image can have any mode and size, and dark or light ink. A drawing has one candidate.
    """
    return [Candidate(_centre(Image.fromarray(ink.layer), ink.layer_box), ink) for ink in find_inks(picture)]


def preprocess(picture: Picture) -> NDArray[np.uint8]:
    """The most likely input of the network: uint8 (28, 28), ink 255 on paper 0; a blank gives all 0."""
    found = candidates(picture)
    return found[0].pixels if found else np.zeros((SIZE, SIZE), np.uint8)


def _centre(ink: Image.Image, box: Box) -> NDArray[np.uint8]:
    """The frame with the scaled ink, whose centre of mass is the frame's centre."""
    frame = np.zeros((SIZE, SIZE), np.uint8)
    digit = _scale(ink, box)
    corner = []
    for axis in (1, 0):
        mass = digit.sum(axis=axis, dtype=np.int64)
        first = round(SIZE / 2 - float(mass @ POSITIONS[: len(mass)] / mass.sum()))
        corner.append(min(max(first, 0), SIZE - len(mass)))
    (top, left), (height, width) = corner, digit.shape
    frame[top : top + height, left : left + width] = digit
    return frame


def _scale(ink: Image.Image, box: Box) -> NDArray[np.uint8]:
    """The ink in the box, its longer side DIGIT_SIZE long and its darkest pixel 255."""
    width, height = (max(1, round(side * DIGIT_SIZE / box.length)) for side in (box.width, box.height))
    # MNIST was scaled down by the mean over each pixel's area. Scaled up, that would leave squares.
    method = Image.Resampling.BOX if box.length >= DIGIT_SIZE else Image.Resampling.BICUBIC
    digit = np.asarray(ink.resize((width, height), method, box=box))
    darkest = int(digit.max())
    if 0 < darkest < 255:
        # A line that is thinner than a pixel of the frame becomes grey, but MNIST's pen always leaves black.
        digit = (digit * np.float32(255 / darkest)).round().astype(np.uint8)
    return digit
