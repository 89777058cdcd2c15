"""Pick the groups of a picture that are most likely its digit, and render their ink from the picture itself."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from handler.components import Box
from handler.contrast import Grey, extreme
from handler.flat_paper import box_of, inside
from handler.two_levels import RIM
from handler.writing import Group, widened

# The strength of the ink in a part of the picture.
Look: TypeAlias = Callable[[Box], Grey]

MOST_INKS = 3
# Groups below this share of the best score are dropped: mostly edges of shadows and sheets.
NEAR_BEST = 0.4
# A digit of 2 % of the picture's height is read.
TINY = 0.018
# A picture is searched at this many pixels a side: strokes survive, the grain of a photo averages out.
SEARCHED_SIZE = 512


class Ink(NamedTuple):
    """One way to see the digit of a picture.

    layer: uint8 (h, w), ink up to 255 on exactly 0, never distorted. inked: the box of what is not 0 in the layer.
    box: the place of that in the upright picture.
    several: whether there is another digit beside it. tiny: whether it is too small to be read for sure.
    alone: whether the picture shows nothing else. score: how likely it is, to compare inks of one picture.
    """

    layer: Grey
    inked: Box
    box: Box
    several: bool = False
    score: float = 1.0
    tiny: bool = False
    alone: bool = True
    place: tuple[float, ...] | None = None

    def locate(self, size: tuple[int, int]) -> "Ink":
        """With its place in a picture of this size: left, top, right and bottom of the box, 0 to 1."""
        return self._replace(
            place=tuple(round(side / size[axis % 2], 4) for axis, side in enumerate(self.box))
        )


def pick_inks(found: list[tuple[Group, Look]], size: tuple[int, int], factor: int, flat: bool) -> list[Ink]:
    """The best groups as ink, no two of them the same."""
    picked: list[tuple[Group, Look]] = []
    best = max((group.score for group, _ in found), default=0.0)
    for group, look in sorted(found, key=lambda pair: -pair[0].score):
        if len(picked) == MOST_INKS or group.score < NEAR_BEST * best:
            break
        if all(_overlap(group.box, other.box) < 0.9 for other, _ in picked):
            picked.append((group, look))
    inks = [_render(group, look, size, factor, flat) for group, look in picked]
    return [ink for ink in inks if ink is not None]


def _render(group: Group, look: Look, size: tuple[int, int], factor: int, flat: bool) -> Ink | None:
    """The grey levels of a group's strokes and of their soft rims, from the picture itself."""
    box = widened(group.box, 2, group.mask.shape)
    place = (box[0] * factor, box[1] * factor, min(box[2] * factor, size[0]), min(box[3] * factor, size[1]))
    strength = look(place)
    mask = inside(group.mask, box)
    shown = (0, 0, (place[2] - place[0]) / factor, (place[3] - place[1]) / factor)
    core, near = (
        np.asarray(Image.fromarray(part).resize(strength.shape[::-1], Image.Resampling.NEAREST, shown))
        for part in (mask, extreme(mask, 2, np.maximum))
    )
    full = 255.0 if flat or not core.any() else max(1.0, float(np.percentile(strength[core], 75)))
    share = np.where(near, strength, 0) * np.float32(1 / full)
    if not flat:
        share[share < RIM] = 0
    layer = (share.clip(0, 1) * 255).round().astype(np.uint8)
    inked = box_of(layer)
    if inked is None:
        return None
    left, top, right, bottom = (side * factor for side in group.box)
    found = (left, top, min(right, size[0]), min(bottom, size[1]))
    tiny = is_tiny(group.box, group.mask.shape)
    return Ink(layer, inked, found, group.several, group.score, tiny, alone=False)


def is_tiny(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether what is in the box is too small a share of the picture to be read for sure."""
    return max(box[2] - box[0], box[3] - box[1]) < TINY * max(shape)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (box_area(one) + box_area(other) - width * height)


def box_area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def show_whole(layer: Grey | None) -> list[Ink]:
    """What a picture's layer shows, as it is."""
    box = None if layer is None else box_of(layer)
    return [] if layer is None or box is None else [Ink(layer, box, box)]


def shift_box(box: Box, corner: Box) -> Box:
    return box[0] + corner[0], box[1] + corner[1], box[2] + corner[0], box[3] + corner[1]


def search_factor(image: Image.Image) -> int:
    return math.ceil(max(image.size) / SEARCHED_SIZE)
