"""Fill the outline of a digit, as in hollow letters.

    inks = fill_hollow(ink)   # the filled digit before its outline; only the ink itself if it is no outline

Every row and column crosses an outline twice or more. The area inside is as narrow as a stroke. Its own outline is as
long as the outer one, less the turn around a line of that width. A loop of a 6, 8 or 9 has a much shorter one, and a 0
is wider.
"""

import itertools
import math

import numpy as np
from PIL import Image

from handler.components import Mask, connected_components
from handler.pick import Ink

# An ink of at least this length in pixels is searched, reduced to at most the second length.
SHORTEST, SEARCHED_LENGTH = 40, 128
# First, every fourth row and column is tested: an outline fills less than this share of its box, and many
# drawings more.
STEP, FULLEST = 4, 0.37
# Then so many lines across the ink are tested, in each direction. They cross an outline so often, in both directions
# together so often, and within so short a run as a share of the digit's length. A 0 is crossed less. In ink that is
# narrower than the last share, only rows are tested, because columns pass along the sides of a 1.
LINES, CROSSINGS, BOTH, LONGEST_RUN, NARROW = 12, 1.8, 3.9, 0.13, 0.45
# All rows of the area inside cross its outline twice. Of 900 outlines, at least 86 % of the rows do so one after the
# other; of the 8s and 9s that cross as many lines, four in five break off between their loops or below the only one.
UNBROKEN = 0.7
# The least length of the hole's outline, with 2 pi times the width of the line around it, as a share of the length of
# the digit's outline, and the greatest width of the filled strokes as a share of the digit's length. Of 1,200 outlines
# all have the first and 99.7 % the second. Of other digits, narrow zeros have both.
FOLLOWS, WIDEST = 0.95, 0.37
# Factor on the score: a thin outline resembles an 8 or a 0. A narrow 0 still remains more likely than a thick 1.
FILLED = 25


def fill_hollow(ink: Ink) -> list[Ink]:
    """The digit inside the ink if the ink is an outline, and the ink."""
    part = ink.layer_box.cut(ink.layer)
    sample, length = part[::STEP, ::STEP], max(part.shape)
    if length < SHORTEST or int(np.count_nonzero(sample)) > FULLEST * sample.size:
        return [ink]
    rows = _crossings(part)
    if rows < CROSSINGS:
        return [ink]
    if part.shape[1] >= NARROW * length and _crossings(part.T) < max(CROSSINGS, BOTH - rows):
        return [ink]
    factor = math.ceil(length / SEARCHED_LENGTH)
    filled = _fill(np.asarray(Image.fromarray(part).reduce(factor)) > 0)
    if filled is None:
        return [ink]
    shown = (0, 0, part.shape[1] / factor, part.shape[0] / factor)
    inside = Image.fromarray(filled).resize(part.shape[::-1], Image.Resampling.NEAREST, shown)
    layer = ink.layer.copy()
    ink.layer_box.cut(layer)[np.asarray(inside)] = 255
    return [ink._replace(layer=layer, score=FILLED * ink.score), ink]


def _crossings(part: Mask) -> float:
    """The mean number of runs of ink in the sampled rows; 0 if the runs are long."""
    step = max(1, len(part) // LINES)
    rows = part[step // 2 :: step] > 0
    runs = int(np.count_nonzero(rows[:, 1:] > rows[:, :-1])) + int(np.count_nonzero(rows[:, 0]))
    is_long = int(np.count_nonzero(rows)) > LONGEST_RUN * max(part.shape) * runs
    return 0.0 if is_long else runs / len(rows)


def _fill(outline: Mask) -> Mask | None:
    """The outline and the largest area that it encloses, or None if that is no stroke along it."""
    height, width = outline.shape
    runs = (outline[:, 1:] > outline[:, :-1]).sum(axis=1, dtype=np.uint8) + outline[:, 0]
    if max(map(len, (runs > 1).tobytes().split(b"\0"))) < UNBROKEN * height:
        return None  # without connected components, which take 0.1 ms
    wall = np.zeros((height + 4, width + 4), bool)
    for top, left in itertools.product((2, 3), repeat=2):  # 8-connected areas do not pass diagonally
        wall[top : top + height, left : left + width] |= outline
    areas = connected_components(~wall)
    numbers = np.arange(len(areas))
    if len(areas) < 2:
        return None
    hole = areas.paint(numbers == 1 + areas.area[1:].argmax())  # 0 is outside
    filled = wall | hole
    filled = filled[:-1, :-1] & filled[:-1, 1:] & filled[1:, :-1] & filled[1:, 1:]
    if 2 * np.count_nonzero(filled) >= WIDEST * max(outline.shape) * _outline_length(filled):
        return None
    around = ~areas.paint(numbers == 0)
    outer, inner = _outline_length(around), _outline_length(hole)
    line = 2 * np.count_nonzero(around & ~hole) / (outer + inner)
    return filled[2:-1, 2:-1] if inner + 2 * math.pi * line >= FOLLOWS * outer else None


def _outline_length(mask: Mask) -> float:
    """The length of the outline, from the number of its crossings with rows and columns (Cauchy-Crofton formula)."""
    return (
        math.pi
        / 4
        * (np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1]))
    )
