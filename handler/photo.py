"""The ink of a photo, a scan, or a drawing that crosses the edge of its paper."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from handler.box import Box
from handler.contrast import Contrast, Grey, local_contrast
from handler.pick import MOST_INKS, Ink, MeasureContrast, ink_of_layer, pick_inks, search_factor
from handler.sheet import sheet_mask
from handler.two_levels import edge, ink_of_two_levels
from handler.writing import Group, groups, noise_floor

# A digit that is shorter than this in the searched picture is rendered at a higher resolution.
CLOSER_BELOW = 48


def has_grain(values: Grey) -> bool:
    """Whether neighbouring pixels differ, as in a camera's picture, from the values of its edge."""
    return bool(np.median(np.abs(np.diff(values.astype(np.int16)))) > 0)


def inks_of_photo(image: Image.Image, grey: Grey | None = None) -> list[Ink]:
    """At most three candidates for the ink, the most likely first; without grain, `grey` has the image's grey levels.

    A program's picture without grain can have ink that crosses the edge, or be cropped to its ink.
    """
    factor = search_factor(image)
    small = image.reduce(factor) if factor > 1 else image
    sheet = sheet_mask(small)
    found: list[tuple[Group, MeasureContrast]] = []
    for contrast in local_contrast(small):
        measure = partial(_measure_contrast, image, contrast, factor)
        floor = noise_floor(contrast.strength)
        found += [(group, measure) for group in groups(contrast.strength, floor)]
        if sheet is not None:
            # Writing on the sheet is more likely than the sheet or the desk.
            on_sheet = groups(contrast.strength, floor, within=sheet)
            found += [
                (replace(group, score=2 * group.score), measure) for group in on_sheet if group.width < 0.35
            ]
    picked = pick_inks(found, image.size, factor, flat=False)
    drawn = [] if grey is None or has_grain(edge(grey)) else ink_of_layer(ink_of_two_levels(grey))
    return (drawn + picked)[:MOST_INKS]


def _measure_contrast(image: Image.Image, contrast: Contrast, factor: int, place: Box) -> Grey:
    """The contrast in a part of the picture: at the searched resolution, or higher if the part is small."""
    finer = max(1, min(factor, place.length // CLOSER_BELOW))
    left, top, right, bottom = (side / factor for side in place)
    if finer == factor:
        return Box(int(left), int(top), math.ceil(right), math.ceil(bottom)).cut(contrast.strength)
    part = image.crop(place)
    return contrast.measure(part.reduce(finer) if finer > 1 else part, (left, top, right, bottom))
