"""The ink of a photo, a scan, or a drawing that crosses the edge of its paper."""

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


def inks_of_photo(image: Image.Image, grey: Grey) -> list[Ink]:
    """At most three candidates for the ink, the most likely first; `grey` has the image's grey levels."""
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
    # In a camera's picture neighbouring pixels differ. A program's picture without this grain can have ink that crosses
    # the edge, or be cropped to its ink.
    grain = np.median(np.abs(np.diff(edge(grey).astype(np.int16))))
    drawn = [] if grain > 0 else ink_of_layer(ink_of_two_levels(grey))
    return (drawn + picked)[:MOST_INKS]


def _measure_contrast(image: Image.Image, contrast: Contrast, factor: int, place: Box) -> Grey:
    """The contrast in a part of the picture: at the searched resolution, or higher if the part is small."""
    finer = max(1, min(factor, place.length // CLOSER_BELOW))
    part = image.crop(place)
    left, top, right, bottom = (side / factor for side in place)
    return contrast.measure(part.reduce(finer) if finer > 1 else part, (left, top, right, bottom))
