"""Find the ink of a picture: which pixels a pen touched, in any colours, on any paper, in any light.

    inks = find_inks(Image.open("seven.jpg"))   # at most three candidates, the most likely first; none for a blank
    inks[0].layer                               # uint8 (h, w): ink up to 255 on exactly 0

A drawing program makes flat paper: a single drawing on it is the ink (handler/flat_paper.py). In any other picture,
such as a photo, a scan or a form, handler/contrast.py measures the contrast of each pixel to its paper, and
handler/writing.py finds the digit in it. If several candidates remain, the network decides.
"""

from functools import partial

import numpy as np
from PIL import Image

from handler.box import Box, box_of
from handler.contrast import Grey
from handler.flat_paper import SHEET, flat_paper, inks_on_flat_paper, is_one_piece
from handler.greys import (
    Picture,
    convert_to_8_bits,
    edge_of_image,
    find_contrast,
    to_grey,
    to_image,
    turn_upright,
)
from handler.hollow import fill_hollow
from handler.photo import has_grain, inks_of_photo
from handler.pick import (
    MOST_INKS,
    SEARCHED_SIZE,
    Ink,
    MeasureContrast,
    ink_of_layer,
    is_tiny,
    pick_inks,
    search_factor,
)
from handler.sheet import sheet_box
from handler.two_levels import MINIMUM_CONTRAST, RIM, edge, ink_of_two_levels
from handler.writing import Group, groups

# In MNIST's own size a single faint pixel is a twentieth of a digit, so it counts.
SMALL_PICTURE = 40
# In a picture below MNIST's own size, ink can reach the edge, so either level can be the ink.
TINY_PICTURE = 20
# The side of the sample of pixels that shows the contrast of most large pictures.
SAMPLED_SIDE = 128
# Factor on the score of all ink together, which is less likely the digit than the part that resembles writing: a 1 in a
# circle resembles a 0.
WHOLE = 0.03
# A shape that is wider than this share of its length is hardly a stroke.
WIDEST_STROKE = 0.3


def find_inks(picture: Picture) -> list[Ink]:
    """At most three candidates for the ink of an image of any mode and size, or of greys; none for a blank."""
    if isinstance(picture, np.ndarray):
        found, size = _find_in_opaque(picture), picture.shape[::-1]
    else:
        image = turn_upright(picture)
        transparent, size = image.has_transparency_data, image.size
        found = (
            _find_in_transparent(image.convert("RGBA"))
            if transparent
            else _find_in_opaque(convert_to_8_bits(image))
        )
    inks = [candidate for ink in found for candidate in fill_hollow(ink)][:MOST_INKS]
    return [ink if ink.alone else ink.locate(size) for ink in inks]


def _find_in_transparent(image: Image.Image) -> list[Ink]:
    """The ink of an "RGBA" image: its opaque pixels or, if all are opaque, the ink of its colours."""
    alpha = np.asarray(image.getchannel("A"))
    low, high = int(alpha.min()), int(alpha.max())
    if high - low < MINIMUM_CONTRAST:
        return _find_in_opaque(image.convert("RGB")) if low >= MINIMUM_CONTRAST else []
    box = box_of(alpha > 127)
    if box is not None and box.cut(alpha).mean() > SHEET * 255:
        # A sheet with a transparent margin, or a straight stroke. First search the sheet.
        sheet = image.crop(box)
        paper = Image.new("RGBA", sheet.size, _usual_colour(sheet))
        found = _find_in_opaque(Image.alpha_composite(paper, sheet).convert("RGB"))
        if found:
            return [_shift_ink(ink, box) for ink in found]
    faint = RIM if max(alpha.shape) > SMALL_PICTURE else 0
    return inks_on_flat_paper(alpha, low, low, high, faint)[:1]


def _usual_colour(sheet: Image.Image) -> tuple[int, ...]:
    """The median colour of the opaque pixels."""
    pixels = np.asarray(sheet.resize((32, 32), Image.Resampling.NEAREST)).reshape(-1, 4)
    opaque = pixels[pixels[:, 3] > 127]
    return (*(int(value) for value in np.median(opaque[:, :3], axis=0)), 255) if len(opaque) else (255,) * 4


def _shift_ink(ink: Ink, corner: Box) -> Ink:
    """The ink of a part of the picture, with its place in the whole."""
    return ink._replace(box=ink.box.shift(corner), alone=False)


def _find_in_opaque(picture: Picture, sheets: int = 2) -> list[Ink]:
    """The ink of an "L" or "RGB" image or of greys; at most `sheets` sheets lie on each other."""
    if isinstance(picture, Image.Image) and _is_large_photo(picture):
        return inks_of_photo(picture)
    grey = to_grey(picture)
    low, high = int(grey.min()), int(grey.max())
    if high - low < MINIMUM_CONTRAST:
        grey = find_contrast(to_image(picture), grey)
        return _find_in_opaque(grey) if np.ptp(grey) >= MINIMUM_CONTRAST else []
    if max(grey.shape) <= SMALL_PICTURE:
        return _find_in_small(to_image(picture), grey, low, high)
    paper = flat_paper(edge(grey))
    if paper is None:
        return inks_of_photo(to_image(picture), grey)
    inks = inks_on_flat_paper(grey, paper, low, high)
    if inks and is_one_piece(inks[0]):
        return [inks[0]._replace(tiny=is_tiny(inks[0].layer_box, grey.shape))]
    return _find_in_clutter(to_image(picture), grey, inks, sheets) if inks else []


def _is_large_photo(image: Image.Image) -> bool:
    """Whether a large picture shows light and grain. Its full conversion to greys would take 2 to 6 ms."""
    if max(image.size) <= SEARCHED_SIZE:
        return False
    values = edge_of_image(image)
    if flat_paper(values) is not None or not has_grain(values):
        return False
    sample = image.resize((SAMPLED_SIDE, SAMPLED_SIDE), Image.Resampling.NEAREST)
    return max(np.ptp(values), np.ptp(to_grey(sample))) >= MINIMUM_CONTRAST


def _find_in_small(image: Image.Image, grey: Grey, low: int, high: int) -> list[Ink]:
    """The ink of a picture of MNIST's size or less, where every pixel counts."""
    if max(grey.shape) <= TINY_PICTURE:
        light = ((grey - low) * np.float32(255 / (high - low))).round().astype(np.uint8)
        return sorted(ink_of_layer(light) + ink_of_layer(255 - light), key=lambda ink: edge(ink.layer).mean())
    paper = flat_paper(edge(grey))
    found = (
        ink_of_layer(ink_of_two_levels(grey))
        if paper is None
        else inks_on_flat_paper(grey, paper, low, high, 0)[:1]
    )
    colours = np.asarray(image.convert("RGB")).astype(np.int16)
    if np.ptp(colours, axis=2).max() > MINIMUM_CONTRAST:
        # In a colour map, the distance to the paper's colour shows more than the brightness.
        distance = np.abs(colours - np.median(edge(colours), axis=0)).max(axis=2)
        share = distance * np.float32(255 / (0.45 * max(distance.max(), 1)))
        found += ink_of_layer(share.clip(0, 255).round().astype(np.uint8))
    return found


def _find_in_clutter(image: Image.Image, grey: Grey, drawn: list[Ink], sheets: int) -> list[Ink]:
    """The writing in the dark and the light ink on flat paper, or the ink on a sheet that lies there."""
    factor = search_factor(image)
    layers = [ink.layer for ink in drawn]
    smaller = [
        layer if factor == 1 else np.asarray(Image.fromarray(layer).reduce(factor)) for layer in layers
    ]
    if sheets and (
        on_sheet := _find_on_sheet(image, [sheet_box(small) for small in smaller], factor, sheets)
    ):
        return on_sheet
    found: list[tuple[Group, MeasureContrast]] = [
        (group, partial(Box.cut, pixels=layer))
        for small, layer in zip(smaller, layers, strict=True)
        for group in groups(small, MINIMUM_CONTRAST, flat=True)
    ]
    strongest = max((group.score for group, _ in found), default=0.0)
    found = [(group, measure) for group, measure in found if group.score > 0.05 * strongest]
    if found and min(group.width for group, _ in found) > WIDEST_STROKE:
        found = []  # a thick brush, or a shadow on overexposed paper
    inks, whole = pick_inks(found, image.size, factor, flat=True), drawn[0]
    if not inks:
        return [whole, *inks_of_photo(image, grey)][:MOST_INKS]
    if not inks[0].several and np.count_nonzero(inks[0].layer) == np.count_nonzero(whole.layer):
        return [whole]  # one drawing of several strokes, and no clutter
    everything = whole._replace(score=WHOLE * inks[0].score, several=inks[0].several)
    return [*inks, everything][:MOST_INKS]


def _find_on_sheet(image: Image.Image, found: list[Box | None], factor: int, sheets: int) -> list[Ink]:
    """The ink on the largest of the sheets that were found in the reduced image."""
    sheet = max((box for box in found if box is not None), key=lambda box: box.area, default=None)
    if sheet is None:
        return []
    inner = sheet.widen(-3 if factor == 1 else -2, image.size[::-1]).scale(factor, image.size)
    if min(inner.width, inner.height) <= SMALL_PICTURE:
        return []
    return [_shift_ink(ink, inner) for ink in _find_in_opaque(image.crop(inner), sheets - 1)]
