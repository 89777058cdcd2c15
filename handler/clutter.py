"""Detect clutter in a picture: lines, frames, rings, the desk, objects along the border."""

import numpy as np
from numpy.typing import NDArray

from handler.components import Components, Mask, fill

# A component within so many pixels of the picture's border touches it.
NEAR_BORDER = 2
# The least length of a line as a share of the picture, and its greatest thickness as a share of its length.
LINE_LENGTH, LINE_THICKNESS = 0.42, 0.03
# A component that covers this share of each side of its box is a frame.
FRAME_COVER = 0.85
# The box of a line is narrower than this share of its length, because paper is rarely straight.
LINE_BREADTH = 0.12
# A component that lies along the border for a smaller share of the picture is not the desk.
LEAST_BORDER = 0.1
# A circled digit is longer than the first share of its ring. Its distance from the ring is more than the second share
# of the ring; the slash of a 0 is closer.
RINGED, RING_MARGIN = 0.25, 0.18
# A circle fills this share of a square or more: 0.785 if a program drew it. A 0 with a slash fills 0.5 to 0.63.
ROUND = 0.65


def sides_touched(parts: Components) -> Mask:
    """Which sides of the picture each component touches: (4, n), left, top, right and bottom."""
    height, width = parts.shape
    near = NEAR_BORDER
    return np.stack(
        [parts.left <= near, parts.top <= near, parts.right >= width - near, parts.bottom >= height - near]
    )


def is_clutter(parts: Components, sides: Mask, flat: bool) -> Mask:
    """Which components are lines, frames or rings, or lie on the picture's border."""
    height, width = parts.shape
    shorter = min(height, width)
    length, breadth = np.maximum(parts.width, parts.height), np.minimum(parts.width, parts.height)
    side = np.where(parts.height > parts.width, height, width)
    thin = (length > LINE_LENGTH * side) & (parts.area < (LINE_THICKNESS * length + 1) * length)
    touched = sides.sum(axis=0)
    solid = parts.area > 0.45 * parts.width * parts.height
    # On flat paper a stroke may cross the border. In a photo, a component on two sides is the desk or a shadow.
    rejected = np.where(flat, thin & ((breadth < LINE_BREADTH * length) | (touched >= 2)), thin)
    rejected |= (touched >= 2) & (solid | (not flat))
    large = (length > 0.3 * shorter) & (breadth > 0.2 * shorter)
    along_border = (touched > 0) & (length > LEAST_BORDER * shorter)
    for number in np.flatnonzero(~rejected & (large | thin | along_border)):
        covered = _covered_sides(parts.inside(number))
        frame = large[number] and not solid[number] and covered.mean() > FRAME_COVER
        rule = thin[number] and (covered > FRAME_COVER).sum() >= 2
        pixels = covered * np.tile([parts.height[number], parts.width[number]], 2)
        along = pixels[sides[:, number]].max(initial=0)
        border = along > max(0.5 * length[number], LEAST_BORDER * shorter) and (solid[number] or not flat)
        rejected[number] = frame or rule or border
    for number in np.flatnonzero(~rejected & ~solid & (length > 0.2 * shorter)):
        rejected[number] = _is_ring(parts, number, ~rejected)
    return rejected


def _is_ring(parts: Components, number: int, others: Mask) -> bool:
    """Whether a component is round and goes around another one that is large enough to be a circled digit."""
    box = parts.box(number)
    margin = RING_MARGIN * box.length
    within = others & (parts.left > box.left + margin) & (parts.right < box.right - margin)
    within &= (parts.top > box.top + margin) & (parts.bottom < box.bottom - margin)
    within &= np.maximum(parts.width, parts.height) > RINGED * box.length
    if not within.any():
        return False
    ring = parts.inside(number)
    columns = (parts.left[within] + parts.right[within]) // 2 - box.left
    rows = (parts.top[within] + parts.bottom[within]) // 2 - box.top
    return np.count_nonzero(fill(ring)) > ROUND * box.length**2 and any(
        all(part.any() for part in (ring[y, :x], ring[y, x + 1 :], ring[:y, x], ring[y + 1 :, x]))
        for x, y in zip(columns, rows, strict=True)
    )


def _covered_sides(part: Mask) -> NDArray[np.float64]:
    """The share of each side of its box that a component covers: (4,), left, top, right and bottom."""
    depth = max(1, round(0.06 * min(part.shape)))
    from_each_side = (part.T, part, part.T[::-1], part[::-1])
    return np.array([side[:depth].any(axis=0).mean() for side in from_each_side])
