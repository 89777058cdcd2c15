"""What in a picture is no writing: lines, frames, rings around a digit, the desk, what lies along the border."""

import numpy as np
from numpy.typing import NDArray

from handler.components import Components, Mask, fill

# What is as few pixels away from the picture's border touches it.
NEAR_BORDER = 2
# A line is this share of the picture long, and this share of its length thick.
LINE_LENGTH, LINE_THICKNESS = 0.42, 0.03
# A component that covers this share of each side of its box is a frame.
FRAME_COVER = 0.85
# A line's box is narrower than this share of its length: paper lies askew.
LINE_BREADTH = 0.12
# A circled digit is longer than this share of its ring, and has this share of it around; the slash of a 0 has less.
RINGED, RING_MARGIN = 0.25, 0.18
# A circle is this share of a square or more, 0.785 if a program drew it; a 0 with a slash has 0.5 to 0.63.
ROUND = 0.65


def sides_touched(parts: Components) -> Mask:
    """Which sides of the picture each component touches: (4, n), left, top, right and bottom."""
    height, width = parts.shape
    return np.stack(
        [
            parts.left <= NEAR_BORDER,
            parts.top <= NEAR_BORDER,
            parts.right >= width - NEAR_BORDER,
            parts.bottom >= height - NEAR_BORDER,
        ]
    )


def is_clutter(parts: Components, sides: Mask, flat: bool) -> Mask:
    """Lines, frames, what goes across or along the picture's border."""
    height, width = parts.shape
    length, breadth = np.maximum(parts.width, parts.height), np.minimum(parts.width, parts.height)
    side = np.where(parts.height > parts.width, height, width)
    thin = (length > LINE_LENGTH * side) & (parts.area < (LINE_THICKNESS * length + 1) * length)
    touched = sides.sum(axis=0)
    solid = parts.area > 0.45 * parts.width * parts.height
    # On flat paper a stroke may go over the edge; in a photo what touches two sides is the desk or a shadow.
    rejected = np.where(flat, thin & ((breadth < LINE_BREADTH * length) | (touched >= 2)), thin)
    rejected |= (touched >= 2) & (solid | (not flat))
    large = (length > 0.3 * min(height, width)) & (breadth > 0.2 * min(height, width))
    for number in np.flatnonzero(~rejected & (large | thin | (touched > 0))):
        covered = _covered_sides(parts.inside(number))
        frame = large[number] and not solid[number] and covered.mean() > FRAME_COVER
        rule = thin[number] and (covered > FRAME_COVER).sum() >= 2
        along = (covered * np.tile([parts.height[number], parts.width[number]], 2))[sides[:, number]].max(
            initial=0
        )
        border = along > max(0.5 * length[number], 0.1 * min(height, width)) and (solid[number] or not flat)
        rejected[number] = frame or rule or border
    for number in np.flatnonzero(~rejected & ~solid & (length > 0.2 * min(height, width))):
        rejected[number] = _is_ring_around(parts, number, ~rejected)
    return rejected


def _is_ring_around(parts: Components, number: int, others: Mask) -> bool:
    """Whether a component goes around another one that is large enough to be what was circled."""
    left, top, right, bottom = (
        int(side[number]) for side in (parts.left, parts.top, parts.right, parts.bottom)
    )
    size = max(right - left, bottom - top)
    margin = RING_MARGIN * size
    within = others & (parts.left > left + margin) & (parts.right < right - margin)
    within &= (parts.top > top + margin) & (parts.bottom < bottom - margin)
    within &= np.maximum(parts.width, parts.height) > RINGED * size
    if not within.any():
        return False
    ring = parts.inside(number)
    return np.count_nonzero(fill(ring)) > ROUND * size**2 and any(
        all(
            side.any()
            for side in (
                ring[y, :x],
                ring[y, x + 1 :],
                ring[:y, x],
                ring[y + 1 :, x],
            )
        )
        for x, y in zip(
            (parts.left[within] + parts.right[within]) // 2 - left,
            (parts.top[within] + parts.bottom[within]) // 2 - top,
            strict=True,
        )
    )


def _covered_sides(part: Mask) -> NDArray[np.float64]:
    """The share of a component's box that it covers from left, top, right and bottom: (4,)."""
    depth = max(1, round(0.06 * min(part.shape)))
    from_each_side = (part.T, part, part.T[::-1], part[::-1])
    return np.array([side[:depth].any(axis=0).mean() for side in from_each_side])
