"""Find the writing in a picture among lines, frames, dust, the desk around a sheet, and other digits.

    for group in groups(strength, NOISE):    # uint8 (h, w): the contrast of each pixel to its paper
        group.mask, group.box, group.score

The picture is split at several thresholds, because a ruled line is fainter than a pen, and a shadow fainter than both.
At each threshold, clutter is dropped. The component that resembles a digit most is the main one, and the parts that
belong to it join it: the bar of a 5, the other half of a broken 4.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from handler.box import Box
from handler.clutter import is_clutter, sides_touched
from handler.components import Components, Mask, Numbers, connected_components, prefix_sums
from handler.contrast import Grey, extreme
from handler.histogram import LEVELS, histogram, quantile
from handler.two_levels import otsu

# Noise stays below this many of its standard deviations. Limits of the resulting contrast, of 255.
OVER_NOISE, LOWEST_FLOOR, HIGHEST_FLOOR = 5, 26, 60
# A group with a mean contrast below the first is grain. One above the second is ink, whatever the grain around it.
WEAKEST_INK, SURE_INK = 33, 60
# The largest components are searched: a digit has two or three, a texture thousands.
MOST_COMPONENTS = 400
# The least length of a digit in pixels.
SHORTEST = 5
# A part that is nearer to a digit than this share of its length belongs to it.
NEAR = 0.22
# In a photo, a digit of 2 % of the height has a score of 1.5 and more, the corner of a shadow or a piece of a rule 0.8.
LOWEST_SCORE = 0.9
# Another digit is beside this one if the gap is less than this share of its length.
BESIDE = 1.2
# In a photo: the least share of the main component in the digit's area, and the least width of strokes as a share of
# its length. The grain along the edge of a shadow has less.
MAIN_SHARE, THINNEST_STROKE = 0.4, 0.015
# A wider group is a stripe: of 6,215 digits by people, the widest is 1.83 times as wide as high.
WIDEST = 2
# Groups of two thresholds whose boxes overlap by this share are the same digit.
SAME = 0.9
# A part of a digit has at least this share of the main component's contrast.
PART_STRENGTH = 0.5


@dataclass(frozen=True)
class Group:
    """The components of one digit: their mask, their box, and whether another digit is beside them.

    frame: the box with a margin of at least two pixels, within the picture; the mask shows it.
    score: how much they resemble the picture's digit, to compare groups of one picture.
    width: of the strokes, as a share of the digit's length.
    """

    mask: Mask
    frame: Box
    box: Box
    several: bool
    score: float
    width: float


def groups(strength: Grey, floor: int, *, flat: bool = False, within: Mask | None = None) -> list[Group]:
    """At most one group for each threshold from `floor` on, in a photo or on flat paper; `within` selects pixels."""
    part = strength if within is None else strength * within
    sums = prefix_sums(strength)
    found: list[Group] = []
    for threshold in _thresholds(part, floor):
        group = _group(strength, sums, part > threshold, flat)
        if group and found and group.box.overlap(found[-1].box) > SAME:
            # The lower threshold keeps the strokes whole where glare makes them faint.
            found[-1] = replace(found[-1], score=max(group.score, found[-1].score))
        elif group:
            found.append(group)
    return found


def noise_floor(strength: Grey) -> int:
    """The contrast in a photo that is more than noise."""
    return int(min(max(LOWEST_FLOOR, _noise_level(histogram(strength[::2, ::2]))), HIGHEST_FLOOR))


def _noise_level(counts: NDArray[np.int64]) -> float:
    """The median of a histogram, plus some standard deviations of the noise."""
    median = quantile(counts, 0.5)
    return median + OVER_NOISE * 1.4826 * quantile(counts, 0.5, np.abs(LEVELS - median))


def _thresholds(strength: Grey, floor: int) -> list[int]:
    """The floor, Otsu's threshold of the pixels above it, and so on: four at most."""
    counts = histogram(strength)
    found, threshold = [floor], floor
    for lower in (0.9, 0.95, 1.0):
        above = np.where(threshold < LEVELS, counts, 0)
        if above.sum() < 50:
            break
        threshold = round(lower * otsu(above))
        if threshold > 1.2 * found[-1]:
            found.append(threshold)
    return found


def _group(strength: Grey, sums: Numbers, ink: Mask, flat: bool) -> Group | None:
    parts = connected_components(ink)
    if len(parts) > MOST_COMPONENTS:
        smallest = np.partition(parts.area, -MOST_COMPONENTS)[-MOST_COMPONENTS]
        parts = connected_components(parts.paint(parts.area > smallest))
    if not len(parts):
        return None
    height, width = parts.shape
    sides = sides_touched(parts)
    on_border = sides.any(axis=0)
    length = np.maximum(parts.width, parts.height)
    strengths = parts.mean(sums)
    off_centre = np.hypot(
        (parts.left + parts.right) / 2 / width - 0.5, (parts.top + parts.bottom) / 2 / height - 0.5
    )
    weight = strengths * parts.area * np.sqrt(length) * (1.2 - off_centre) * np.where(on_border, 0.3, 1)
    weight[is_clutter(parts, sides, flat) | (length < SHORTEST)] = 0
    main = int(weight.argmax())
    if weight[main] == 0:
        return None
    may_belong = (
        (weight > 0) & (strengths >= PART_STRENGTH * strengths[main]) & (~on_border | on_border[main])
    )
    members, box, several = _join_parts(parts, main, may_belong)
    chosen = np.isin(np.arange(len(parts)), members)
    if not flat and parts.area[main] < MAIN_SHARE * parts.area[chosen].sum():
        return None
    frame = box.widen(round(0.15 * box.length) + 2, parts.shape)
    mask = parts.paint(chosen, frame)
    stroke = _stroke_width(mask) / box.length
    own = float(np.average(strengths[chosen], weights=parts.area[chosen]))
    separation = _separation(frame.cut(strength), mask, own, flat)
    score = strengths[main] / 255 * math.sqrt(box.length) * separation * (1.2 - off_centre[main])
    score *= (0.2 if on_border[main] else 1) * (0.2 if stroke > 0.4 else 1)
    score *= 0.2 if box.width > WIDEST * box.height else 1
    if not flat and (stroke < THINNEST_STROKE or score < LOWEST_SCORE):
        return None
    return Group(mask, frame, box, several, float(score), stroke)


def _join_parts(parts: Components, main: int, may_belong: Mask) -> tuple[list[int], Box, bool]:
    """The components of the digit of the main one, their box, and whether another digit is beside it."""
    members, others = [main], [int(number) for number in np.flatnonzero(may_belong) if number != main]
    box, several, grown = parts.box(main), False, True
    while grown:
        grown, size = False, box.length
        for number in others.copy():
            part, area = parts.box(number), parts.area[number]
            aside, below = box.gaps(part)
            if math.hypot(aside, below) > NEAR * size or part.length > 2 * size:
                continue
            speck = part.length < 0.12 * size and area < 0.03 * parts.area[main]
            wide = part.width > 4 * part.height and part.width > 0.6 * box.width
            underline = wide and part.top >= box.bottom - 0.05 * size
            if speck or underline:
                continue
            others.remove(number)
            large = part.height > 0.6 * size and part.width > 0.2 * size and area > 0.4 * parts.area[main]
            if large and aside > 0.03 * size:
                several = True
                continue
            members.append(number)
            box, grown = box.join(part), True
    for number in others:  # another digit is about as large; an underline is less high
        part, large = parts.box(number), parts.area[number] > 0.3 * parts.area[main]
        similar = large and 0.6 * box.length < part.height < 1.6 * box.length
        several |= bool(similar and 0 < math.hypot(*box.gaps(part)) < BESIDE * box.length)
    return members, box, several


def _stroke_width(mask: Mask) -> float:
    """The double area divided by the length of the outline."""
    padded = np.pad(mask, 1)
    core = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    area = np.count_nonzero(padded)
    return 2 * area / max(1, area - np.count_nonzero(core))


def _separation(strength: Grey, mask: Mask, own: float, flat: bool) -> float:
    """1 if the paper around the group is clean, less if the group is part of a larger shape, 0 if it is grain.

    `own` is the mean strength of the group.
    """
    ring = histogram(strength, ~extreme(mask, 3, np.maximum))
    if not ring.any():
        return 1.0
    if not flat and own < min(max(_noise_level(ring), WEAKEST_INK), SURE_INK):
        return 0.0
    return max(0.05, 1 - 2 * float(np.average(LEVELS, weights=ring)) / max(1.0, own))
