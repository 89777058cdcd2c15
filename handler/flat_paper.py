"""The ink on flat paper, as a drawing program gives it: every pixel of the paper has one value.

paper = flat_paper(pixels)              # None if the picture's edge varies
layer = ink_on_flat_paper(pixels, paper)
is_one_piece(layer)                     # whether nothing but one drawing is there
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.components import Box, Mask
from handler.contrast import Grey
from handler.two_levels import MINIMUM_CONTRAST, RIM, edge

# Paper that varies by no more than this, of 255, is flat: a program drew it.
FLAT = 2
# Of the edge of a drawing so much is paper at least, and so little is neither paper nor ink.
EDGE_OF_PAPER = 0.55
EDGE_IN_BETWEEN = 0.1
# What fills a box by this share may be a sheet that lies on something.
SHEET = 0.75
# A sheet's shorter side has more pixels than this; what is narrower is a stroke, such as a straight 1.
NARROWEST_SHEET = 40
# A gap or a line is wider than this many pixels.
SAMPLED = 2
# The side of a box that is covered by this share has a line along it.
LINE_COVER = 0.8


def flat_paper(pixels: Grey) -> int | None:
    """The value of the paper if the edge shows that it is flat; some ink may go over the edge."""
    values = edge(pixels)
    if (values == values[0]).all():
        return int(values[0])
    counts = np.bincount(values, minlength=256)
    paper = int(counts.argmax())
    flat, near = (_share_within(counts, paper, distance) for distance in (FLAT, MINIMUM_CONTRAST - 1))
    return paper if flat >= EDGE_OF_PAPER and near - flat <= EDGE_IN_BETWEEN else None


def _share_within(counts: NDArray[np.int64], value: int, distance: int) -> float:
    return float(counts[max(0, value - distance) : value + distance + 1].sum() / counts.sum())


def ink_on_flat_paper(pixels: Grey, paper: int, low: int, high: int, faint: float = RIM) -> list[Grey]:
    """Ink up to 255 on exactly 0, (h, w) as the pixels: of dark and light ink the one that there is more of first.

    `low` and `high` are the pixels' least and greatest value. What is fainter than the share `faint` of the ink is a
    soft rim or JPEG's ringing, and would widen the digit's box.
    """
    if paper - low > FLAT and high - paper > FLAT:
        counts = np.bincount(pixels.ravel(), minlength=256)
        steps = np.arange(256) - paper
        darker = -int((counts * steps)[:paper].sum())
        lighter = int((counts * steps)[paper:].sum())
        inks = [low, high] if darker >= lighter else [high, low]
    else:
        inks = [low if paper - low >= high - paper else high]
    return [_stretched(pixels, paper, ink, faint) for ink in inks if abs(ink - paper) >= MINIMUM_CONTRAST]


def _stretched(pixels: Grey, paper: int, ink: int, faint: float) -> Grey:
    """Paper to 0 and ink to 255, what lies beyond or near the paper's value to 0."""
    table = _table(paper, ink, max(FLAT, faint * abs(ink - paper)) if faint else 0)
    # In half the time of numpy's indexing and of Pillow's point.
    return np.frombuffer(pixels.tobytes().translate(table), np.uint8).reshape(pixels.shape)


@lru_cache  # most drawings come in the page's colours
def _table(paper: int, ink: int, faint: float) -> bytes:
    share = (np.arange(256) - paper) / (ink - paper)
    table = np.where(share * abs(ink - paper) > faint, share * 255, 0).clip(0, 255).round()
    return table.astype(np.uint8).tobytes()


def is_one_piece(layer: Grey, box: Box) -> bool:
    """Whether the ink in the box is sure to be one drawing: no sheet, no gap through it, no frame around it.

    Nor does it reach over the edge of the picture.

    This takes a tenth of the time of its connected components.
    """
    if box[0] == 0 or box[1] == 0 or box[2] == layer.shape[1] or box[3] == layer.shape[0]:
        return False
    part = inside(layer, box)
    inked = part[::SAMPLED, ::SAMPLED] > 0
    # Of a row or a column every pixel counts: a stroke's tip has only one.
    lines = part[::SAMPLED], part.T[::SAMPLED]
    if any(np.count_nonzero(np.bitwise_or.reduce(line, axis=1)) < len(line) for line in lines):
        return False
    if min(part.shape) > NARROWEST_SHEET and np.count_nonzero(inked) > SHEET * inked.size:
        return False
    return not ((_is_ringed(inked) or _has_line_along(inked)) and _has_inner_gap(inked))


def _is_ringed(inked: Mask) -> bool:
    """Whether the row and the column through the middle meet ink at both ends and more between."""
    lines = inked[len(inked) // 2], inked[:, inked.shape[1] // 2]
    return all(bool(line[0] and line[-1]) and np.count_nonzero(line[1:] > line[:-1]) >= 2 for line in lines)


def _has_line_along(inked: Mask) -> bool:
    """Whether a straight line covers a side of the box."""
    sides = (inked[0], inked[-1], inked[:, 0], inked[:, -1])
    return any(np.count_nonzero(side) > LINE_COVER * side.size for side in sides)


def _has_inner_gap(inked: Mask) -> bool:
    """Whether, its outer columns or rows left out, a gap goes through the ink."""
    for part in (inked, inked.T):
        margin = part.shape[1] * 3 // 20
        rows = np.flatnonzero(part[:, margin : part.shape[1] - margin].any(axis=1))
        if len(rows) and rows[-1] - rows[0] >= len(rows):
            return True
    return False


def box_of(pixels: NDArray[Any]) -> Box | None:
    """The smallest box with everything that is not 0."""
    return Image.fromarray(pixels).getbbox()  # in half of numpy's time


def inside(pixels: Grey, box: Box) -> Grey:
    """The part of the picture in the box."""
    left, top, right, bottom = box
    return pixels[top:bottom, left:right]
