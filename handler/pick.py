"""Pick the groups that are most likely a picture's digit, and render their ink from the picture itself."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from handler.box import Box, box_of
from handler.contrast import Grey, extreme
from handler.histogram import histogram, quantile
from handler.two_levels import RIM
from handler.writing import Group

# Measures the contrast in a box of the picture, at the resolution of the search or a higher one.
MeasureContrast: TypeAlias = Callable[[Box], Grey]

MOST_INKS = 3
# Groups below this share of the best score are dropped: most are edges of shadows and sheets. Section "Evaluate" of
# docs/training.md compares limits.
NEAR_BEST = 0.4
# A digit of 2 % of the picture's height is readable.
TINY = 0.018
# A picture is searched at this many pixels a side: strokes survive, and the grain of a photo averages out.
SEARCHED_SIZE = 512


class Ink(NamedTuple):
    """One candidate for the ink of a picture's digit.

    layer: uint8 (h, w), ink up to 255 on exactly 0, with the picture's proportions. layer_box: of the ink in the layer.
    box: of the ink in the upright picture, in pixels. relative_box: the same in shares of the picture's sides; None if
    the ink is `alone`, with nothing else in the picture. several: whether another digit is beside it. tiny: whether it
    is too small to be certainly readable. score: to compare the candidates of one picture.
    """

    layer: Grey
    layer_box: Box
    box: Box
    several: bool = False
    score: float = 1.0
    tiny: bool = False
    alone: bool = True
    relative_box: tuple[float, ...] | None = None

    def locate(self, size: tuple[int, int]) -> "Ink":
        """The ink with its relative box in a picture of this size: left, top, right and bottom, 0 to 1."""
        sides = tuple(round(side / size[axis % 2], 4) for axis, side in enumerate(self.box))
        return self._replace(relative_box=sides)


def pick_inks(
    found: list[tuple[Group, MeasureContrast]], size: tuple[int, int], factor: int, flat: bool
) -> list[Ink]:
    """The ink of the best groups without duplicates, in a picture of this size that was reduced by the factor."""
    picked: list[tuple[Group, MeasureContrast]] = []
    best = max((group.score for group, _ in found), default=0.0)
    for group, measure in sorted(found, key=lambda pair: -pair[0].score):
        if len(picked) == MOST_INKS or group.score < NEAR_BEST * best:
            break
        if all(group.box.overlap(other.box) < 0.9 for other, _ in picked):
            picked.append((group, measure))
    inks = [_render(group, measure, size, factor, flat) for group, measure in picked]
    return [ink for ink in inks if ink is not None]


def _render(
    group: Group, measure: MeasureContrast, size: tuple[int, int], factor: int, flat: bool
) -> Ink | None:
    """The grey levels of a group's strokes and of their soft rims."""
    shape = math.ceil(size[1] / factor), math.ceil(size[0] / factor)
    box = group.box.widen(2, shape)
    place = box.scale(factor, size)
    strength = measure(place)
    mask = box.within(group.frame).cut(group.mask)
    shown = (0, 0, place.width / factor, place.height / factor)
    core, near = (
        np.asarray(Image.fromarray(part).resize(strength.shape[::-1], Image.Resampling.NEAREST, shown))
        for part in (mask, extreme(mask, 2, np.maximum))
    )
    full = 255.0 if flat or not core.any() else max(1.0, quantile(histogram(strength, core), 0.75))
    share = np.where(near, strength, 0) * np.float32(1 / full)
    if not flat:
        share[share < RIM] = 0
    layer = (share.clip(0, 1) * 255).round().astype(np.uint8)
    layer_box = box_of(layer)
    if layer_box is None:
        return None
    tiny = is_tiny(group.box, shape)
    return Ink(layer, layer_box, group.box.scale(factor, size), group.several, group.score, tiny, alone=False)


def is_tiny(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether the ink in the box is too small a share of the picture to be certainly readable."""
    return box.length < TINY * max(shape)


def ink_of_layer(layer: Grey | None) -> list[Ink]:
    """The whole layer of a picture as its only ink; none for a blank layer."""
    box = None if layer is None else box_of(layer)
    return [] if layer is None or box is None else [Ink(layer, box, box)]


def search_factor(image: Image.Image) -> int:
    """The factor by which a picture is reduced for the search."""
    return math.ceil(max(image.size) / SEARCHED_SIZE)
