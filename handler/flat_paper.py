"""The ink on flat paper, as drawing programs make it: all pixels of the paper have one value.

paper = flat_paper(edge(pixels))                    # None if the edge of the picture varies
inks = inks_on_flat_paper(pixels, paper, low, high)
is_one_piece(inks[0])                               # whether the picture contains one drawing and nothing else
"""

from functools import lru_cache

import numpy as np

from handler.box import box_of
from handler.components import Mask
from handler.contrast import Grey
from handler.pick import Ink
from handler.two_levels import MINIMUM_CONTRAST, RIM

# Paper that varies by at most this, of 255, is flat: a program drew it.
FLAT = 2
# The least share of paper in the edge of a drawing, and the greatest share of pixels that are neither paper nor ink.
EDGE_OF_PAPER = 0.55
EDGE_IN_BETWEEN = 0.1
# A component that fills this share of its box can be a sheet that lies on something.
SHEET = 0.75
# The shorter side of a sheet has more pixels than this; a narrower shape is a stroke, such as a straight 1.
NARROWEST_SHEET = 40
# Every second row and column is searched, because gaps and lines are at least two pixels wide.
STEP = 2
# A line covers this share of a side of the box.
LINE_COVER = 0.8


def flat_paper(values: Grey) -> int | None:
    """The value of the paper if the edge of a picture, with these values, is flat; ink may cross the edge."""
    if (values == values[0]).all():
        return int(values[0])
    counts = np.bincount(values, minlength=256)
    paper = int(counts.argmax())
    flat, near = (
        counts[max(0, paper - distance) : paper + distance + 1].sum() / len(values)
        for distance in (FLAT, MINIMUM_CONTRAST - 1)
    )
    return paper if flat >= EDGE_OF_PAPER and near - flat <= EDGE_IN_BETWEEN else None


def inks_on_flat_paper(pixels: Grey, paper: int, low: int, high: int, faint: float = RIM) -> list[Ink]:
    """The dark and the light ink of a picture, the larger amount first.

    `low` and `high` are the least and the greatest value of the pixels. Pixels below the share `faint` of the ink are a
    soft rim or JPEG noise, which would widen the digit's box, and become 0.
    """
    if paper - low > FLAT and high - paper > FLAT:
        counts = np.bincount(pixels.ravel(), minlength=256)
        amounts = counts * (np.arange(256) - paper)
        inks = [low, high] if -amounts[:paper].sum() >= amounts[paper:].sum() else [high, low]
    else:
        inks = [low if paper - low >= high - paper else high]
    return [_stretch(pixels, paper, ink, faint) for ink in inks if abs(ink - paper) >= MINIMUM_CONTRAST]


def _stretch(pixels: Grey, paper: int, ink: int, faint: float) -> Ink:
    """Paper to 0 and ink to 255; values near the paper's or on its other side to 0."""
    table, faintest = _table(paper, ink, max(FLAT, faint * abs(ink - paper)) if faint else 0)
    box = box_of((pixels <= faintest if ink < paper else pixels >= faintest).view(np.uint8))
    assert box is not None  # noqa: S101  `ink` is the value of a pixel
    layer = np.zeros_like(pixels)
    part = box.cut(pixels)
    # In half the time of numpy's indexing and of Pillow's point.
    box.cut(layer)[:] = np.frombuffer(part.tobytes().translate(table), np.uint8).reshape(part.shape)
    return Ink(layer, box, box)


@lru_cache  # most drawings have the colours of the page
def _table(paper: int, ink: int, faint: float) -> tuple[bytes, np.uint8]:
    """The new value of each value, and the faintest value of ink."""
    share = (np.arange(256) - paper) / (ink - paper)
    table = np.where(share * abs(ink - paper) > faint, share * 255, 0).clip(0, 255).round().astype(np.uint8)
    return table.tobytes(), np.uint8(np.flatnonzero(table)[-1 if ink < paper else 0])


def is_one_piece(ink: Ink) -> bool:
    """Whether the ink is certainly one drawing: no sheet, no gap through it, no frame around it.

    It must not touch the edge of the picture. This takes a tenth of the time of connected components.
    """
    box, (height, width) = ink.layer_box, ink.layer.shape
    if 0 in box[:2] or box.right == width or box.bottom == height:
        return False
    part = box.cut(ink.layer)
    # Each sampled row and column is searched whole: the tip of a stroke can be one pixel wide.
    columns, rows = np.bitwise_or.reduce(part, axis=0)[::STEP], np.bitwise_or.reduce(part[::STEP], axis=1)
    if 0 in columns.tobytes() or 0 in rows.tobytes():
        return False
    mask = part[::STEP, ::STEP] > 0
    # Here and below, numpy's integers would take three times as long to compare.
    if min(part.shape) > NARROWEST_SHEET and int(np.count_nonzero(mask)) > SHEET * mask.size:
        return False
    return not ((_has_ring(mask) or _has_line_along(mask)) and _has_inner_gap(mask))


def _has_ring(mask: Mask) -> bool:
    """Whether the row and the column through the middle have ink at both ends and between them."""
    lines = mask[len(mask) // 2], mask[:, mask.shape[1] // 2]
    return all(bool(line[0] and line[-1]) and np.count_nonzero(line[1:] > line[:-1]) >= 2 for line in lines)


def _has_line_along(mask: Mask) -> bool:
    """Whether a straight line covers a side of the box."""
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return any(int(np.count_nonzero(side)) > LINE_COVER * side.size for side in sides)


def _has_inner_gap(mask: Mask) -> bool:
    """Whether a gap goes through the ink between its outer columns, or between its outer rows."""
    for part in (mask, mask.T):
        margin = part.shape[1] * 3 // 20
        rows = np.flatnonzero(part[:, margin : part.shape[1] - margin].any(axis=1))
        if len(rows) and int(rows[-1]) - int(rows[0]) >= len(rows):
            return True
    return False
