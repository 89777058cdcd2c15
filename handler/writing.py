"""Tell a digit from what else is in a picture: lines, frames, dust, the desk around a sheet, other digits.

    for group in groups(strength, NOISE):    # uint8 (h, w): how far each pixel differs from its paper
        group.mask, group.box, group.score

The picture is split at several thresholds, since a ruled line is fainter than a pen and a shadow fainter than both. At
each the connected components that look like writing are kept, and the one that is most like a digit gets the
parts that belong to it: the bar of a 5, the other half of a divided 4.
"""

import math
from dataclasses import dataclass

import numpy as np

from handler.clutter import is_clutter, sides_touched
from handler.components import Box, Components, Mask, connected_components
from handler.contrast import Grey, extreme
from handler.two_levels import otsu

# What differs from the paper by this many standard deviations of the noise is no noise; and the bounds of that, of 255.
OVER_NOISE, LOWEST_FLOOR, HIGHEST_FLOOR = 5, 26, 90
# What is weaker than this in the mean is grain, what is as strong as that is ink whatever the grain around it.
WEAKEST_INK, SURE_INK = 33, 60
# Of more components only the largest are looked at: a digit has two or three, a texture thousands.
MOST_COMPONENTS = 400
# A digit is at least this many pixels long.
SHORTEST = 5
# A part that is nearer to a digit than this share of its length belongs to it.
NEAR = 0.22
# In a photo a digit of 2 % of the height has a score of 1.5 and more, the corner of a shadow or a piece of a rule 0.8.
LOWEST_SCORE = 0.9
# Another digit is nearer than this share of its length.
BESIDE = 1.2
# The main component has this share of a digit in a photo, and its strokes this share of its length for a width; what
# has less is the grain along a shadow's edge.
MAIN_SHARE, THINNEST_STROKE = 0.25, 0.015
# A component that is not as strong as this share of the digit is no part of it.
PART_STRENGTH = 0.5


@dataclass(frozen=True)
class Group:
    """Components that make one digit: their mask (h, w) and their box; whether another digit is beside them.

    score: how much it looks like the picture's digit, to compare groups of one picture.
    width: of its strokes, as a share of its length.
    """

    mask: Mask
    box: Box
    several: bool
    score: float
    width: float


def groups(strength: Grey, floor: int, *, flat: bool = False, within: Mask | None = None) -> list[Group]:
    """The group of each threshold from `floor` on, on flat paper or in a photo, of the whole picture or within a part.

    Fewer if there is no writing.
    """
    part = strength if within is None else strength * within
    found = [_group(strength, part > threshold, flat) for threshold in _thresholds(part, floor)]
    return [group for group in found if group is not None]


def noise_floor(strength: Grey) -> int:
    """Of a photo what is more than its noise."""
    return int(min(max(LOWEST_FLOOR, noise_level(strength[::2, ::2], OVER_NOISE)), HIGHEST_FLOOR))


def noise_level(values: Grey, deviations: float) -> float:
    """The median of values, and as many standard deviations of their noise."""
    median = float(np.median(values))
    return median + deviations * 1.4826 * float(np.median(np.abs(values - np.float32(median))))


def _thresholds(strength: Grey, floor: int) -> list[int]:
    """The floor, and where Otsu splits what is above it, what is above that, and once more."""
    counts = np.bincount(strength.ravel(), minlength=256)
    found, threshold = [floor], floor
    for lower in (0.9, 0.95, 1.0):
        above = np.where(np.arange(256) > threshold, counts, 0)
        if above.sum() < 50:
            break
        threshold = round(lower * otsu(above))
        if threshold > 1.2 * found[-1]:
            found.append(threshold)
    return found


def _group(strength: Grey, inked: Mask, flat: bool) -> Group | None:
    parts = connected_components(inked)
    if not len(parts):
        return None
    if len(parts) > MOST_COMPONENTS:
        smallest = np.partition(parts.area, -MOST_COMPONENTS)[-MOST_COMPONENTS]
        parts = connected_components(parts.paint(parts.area > smallest))
        if not len(parts):
            return None
    height, width = parts.shape
    sides = sides_touched(parts)
    on_border = sides.any(axis=0)
    length = np.maximum(parts.width, parts.height)
    strengths = parts.mean(strength)
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
    members, box, several = _members(parts, main, may_belong)
    chosen = np.zeros(len(parts), bool)
    chosen[members] = True
    if not flat and parts.area[main] < MAIN_SHARE * parts.area[chosen].sum():
        return None
    mask = parts.paint(chosen)
    size = max(box[2] - box[0], box[3] - box[1])
    stroke = _stroke_width(mask, box) / size
    score = (
        strengths[main]
        / 255
        * math.sqrt(size)
        * _separation(strength, mask, box, flat)
        * (1.2 - off_centre[main])
    )
    score *= (0.2 if on_border[main] else 1) * (0.2 if stroke > 0.4 else 1)
    if not flat and (stroke < THINNEST_STROKE or score < LOWEST_SCORE):
        return None
    return Group(mask, box, several, float(score), stroke)


def _members(parts: Components, main: int, may_belong: Mask) -> tuple[list[int], Box, bool]:
    """The components that make a digit with the main one, their box, and whether another digit is beside it."""
    boxes = np.stack([parts.left, parts.top, parts.right, parts.bottom], axis=1)
    members, others = [main], [int(number) for number in np.flatnonzero(may_belong) if number != main]
    box: Box = tuple(boxes[main].tolist())
    several, grown = False, True
    while grown:
        grown = False
        size = max(box[2] - box[0], box[3] - box[1])
        for number in others.copy():
            left, top, right, bottom = boxes[number].tolist()
            width, height, area = right - left, bottom - top, parts.area[number]
            aside, below = max(left - box[2], box[0] - right, 0), max(top - box[3], box[1] - bottom, 0)
            speck = max(width, height) < 0.12 * size and area < 0.03 * parts.area[main]
            underline = width > 4 * height and top >= box[3] - 0.05 * size and width > 0.6 * (box[2] - box[0])
            if speck or underline or math.hypot(aside, below) > NEAR * size or max(width, height) > 2 * size:
                continue
            others.remove(number)
            if (
                aside > 0.03 * size
                and height > 0.6 * size
                and area > 0.4 * parts.area[main]
                and width > 0.2 * size
            ):
                several = True
                continue
            members.append(number)
            box = (min(box[0], left), min(box[1], top), max(box[2], right), max(box[3], bottom))
            grown = True
    several |= any(_is_other_digit(parts, number, main, box) for number in others)
    return members, box, several


def _is_other_digit(parts: Components, number: int, main: int, box: Box) -> bool:
    """Whether a component that is no part of the digit in the box is near to it and about as large."""
    size = max(box[2] - box[0], box[3] - box[1])
    aside = max(parts.left[number] - box[2], box[0] - parts.right[number], 0)
    below = max(parts.top[number] - box[3], box[1] - parts.bottom[number], 0)
    alike = 0.6 * size < parts.height[number] < 1.6 * size  # an underline is as wide
    return bool(
        alike and parts.area[number] > 0.3 * parts.area[main] and 0 < math.hypot(aside, below) < BESIDE * size
    )


def _stroke_width(mask: Mask, box: Box) -> float:
    """Twice the area by the length of the outline."""
    left, top, right, bottom = box
    inside = np.pad(mask[top:bottom, left:right], 1)
    core = inside[1:-1, 1:-1] & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return 2 * inside.sum() / max(1, inside.sum() - core.sum())


def _separation(strength: Grey, mask: Mask, box: Box, flat: bool) -> float:
    """1 if the paper around the group is clean, less if it is the brighter part of something, 0 if it is grain."""
    size = max(box[2] - box[0], box[3] - box[1])
    left, top, right, bottom = widened(box, round(0.15 * size) + 2, mask.shape)
    ring = strength[top:bottom, left:right][~extreme(mask[top:bottom, left:right], 3, np.maximum)]
    own = float(strength[mask].mean())
    if not len(ring):
        return 1.0
    if not flat and own < min(max(noise_level(ring, OVER_NOISE), WEAKEST_INK), SURE_INK):
        return 0.0
    return max(0.05, 1 - 2 * float(ring.mean()) / max(1.0, own))


def widened(box: Box, by: int, shape: tuple[int, ...]) -> Box:
    """The box with a margin, within a picture of this shape."""
    left, top, right, bottom = box
    return max(0, left - by), max(0, top - by), min(shape[1], right + by), min(shape[0], bottom + by)
