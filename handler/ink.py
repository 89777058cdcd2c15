"""Find the ink of a picture: which pixels a pen has touched, whatever the colours, the paper and the light.

    inks = find_inks(Image.open("seven.jpg"))   # at most three, the most likely first; none for a blank
    inks[0].layer                               # uint8 (h, w): ink up to 255 on exactly 0

A drawing program gives flat paper: if one drawing lies on it and nothing else, that is the ink (handler/flat_paper.py).
Of everything else, a photo, a scan, a form, handler/contrast.py says what differs from the paper around it, and
handler/writing.py what of that is a digit. What can be seen in more than one way is for the network to judge.
"""

from functools import partial

import numpy as np
from PIL import Image

from handler.components import Box
from handler.contrast import Grey
from handler.flat_paper import SHEET, box_of, flat_paper, ink_on_flat_paper, inside, is_one_piece
from handler.greys import find_contrast, in_eight_bits, turn_upright
from handler.photo import inks_of_photo
from handler.pick import MOST_INKS, Ink, box_area, is_tiny, pick_inks, search_factor, shift_box, show_whole
from handler.sheet import sheet_box
from handler.two_levels import MINIMUM_CONTRAST, RIM, edge, ink_of_two_levels
from handler.writing import groups, widened

# In MNIST's own size a single faint pixel is a twentieth of a digit and counts.
SMALL_PICTURE = 40
# Below MNIST's own size the ink may reach the edge, and either level may be the ink.
TINY_PICTURE = 20
# Everything that is on the paper is less likely to be the digit than the part that looks like writing.
WHOLE = 0.25
# What is wider than this share of its length is hardly a stroke.
WIDEST_STROKE = 0.3


def find_inks(image: Image.Image) -> list[Ink]:
    """The ink of an image of any mode and size, at most three ways to see it; none for a blank."""
    image = turn_upright(image)
    transparent = image.has_transparency_data
    found = _of_transparent(image.convert("RGBA")) if transparent else _of_opaque(in_eight_bits(image))
    return [ink if ink.alone else ink.locate(image.size) for ink in found]


def _of_transparent(image: Image.Image) -> list[Ink]:
    """Strokes on nothing: the ink is what is not transparent. An opaque picture: as if without alpha."""
    alpha = np.asarray(image.getchannel("A"))
    low, high = int(alpha.min()), int(alpha.max())
    if high - low < MINIMUM_CONTRAST:
        return _of_opaque(image.convert("RGB")) if low >= MINIMUM_CONTRAST else []
    box = box_of(alpha > 127)
    if box is not None and inside(alpha, box).mean() > SHEET * 255:
        # A sheet with a transparent margin, or a stroke as straight as a ruler: look on the sheet first.
        sheet = image.crop(box)
        paper = Image.new("RGBA", sheet.size, _usual_colour(sheet))
        found = _of_opaque(Image.alpha_composite(paper, sheet).convert("RGB"))
        if found:
            return [_moved(ink, box) for ink in found]
    return show_whole(
        ink_on_flat_paper(alpha, low, low, high, RIM if max(alpha.shape) > SMALL_PICTURE else 0)[0]
    )


def _usual_colour(sheet: Image.Image) -> tuple[int, ...]:
    """The median colour of what is opaque."""
    pixels = np.asarray(sheet.resize((32, 32), Image.Resampling.NEAREST)).reshape(-1, 4)
    opaque = pixels[pixels[:, 3] > 127]
    return (*(int(value) for value in np.median(opaque[:, :3], axis=0)), 255) if len(opaque) else (255,) * 4


def _moved(ink: Ink, corner: Box) -> Ink:
    return ink._replace(box=shift_box(ink.box, corner), alone=False)


def _of_opaque(image: Image.Image, sheets: int = 2) -> list[Ink]:
    """Of an "L" or "RGB" image; `sheets` is how many sheets may lie on each other."""
    grey = np.asarray(image if image.mode == "L" else image.convert("L"))
    low, high = int(grey.min()), int(grey.max())
    if high - low < MINIMUM_CONTRAST:
        grey = find_contrast(image, grey)
        return _of_opaque(Image.fromarray(grey)) if np.ptp(grey) >= MINIMUM_CONTRAST else []
    if max(grey.shape) <= SMALL_PICTURE:
        return _of_small(image, grey, low, high)
    paper = flat_paper(grey)
    if paper is None:
        return inks_of_photo(image, grey)
    return _on_flat_paper(image, grey, (paper, low, high), sheets)


def _on_flat_paper(image: Image.Image, grey: Grey, levels: tuple[int, int, int], sheets: int) -> list[Ink]:
    """`levels` are the values of the paper, of the darkest and of the lightest pixel."""
    box = box_of(grey - np.uint8(levels[0]) if levels[0] else grey)
    if box is None:
        return []
    area = widened(box, 1, grey.shape)
    layers = ink_on_flat_paper(inside(grey, area), *levels)
    inked = box_of(layers[0]) if layers else None
    if inked is None:
        return []
    if is_one_piece(layers[0], inked):
        # Scaled within the picture's own coordinates: a part's round differently.
        place = shift_box(inked, area)
        return [Ink(_on_whole(layers[0], area, grey), place, place, tiny=is_tiny(inked, grey.shape))]
    return _of_clutter(image, grey, [_on_whole(layer, area, grey) for layer in layers], sheets)


def _on_whole(layer: Grey, area: Box, picture: Grey) -> Grey:
    """The layer of a part of the picture on one of the picture's size."""
    whole = np.zeros_like(picture)
    inside(whole, area)[:] = layer
    return whole


def _of_small(image: Image.Image, grey: Grey, low: int, high: int) -> list[Ink]:
    """Of a picture of MNIST's size or less: every pixel counts."""
    if max(grey.shape) <= TINY_PICTURE:
        light = ((grey - low) * np.float32(255 / (high - low))).round().astype(np.uint8)
        return sorted(show_whole(light) + show_whole(255 - light), key=lambda ink: edge(ink.layer).mean())
    paper = flat_paper(grey)
    layers = (
        [ink_of_two_levels(grey)] if paper is None else ink_on_flat_paper(grey, paper, low, high, faint=0)
    )
    found = show_whole(layers[0]) if layers else []
    colours = np.asarray(image.convert("RGB")).astype(np.int16)
    if np.ptp(colours, axis=2).max() > MINIMUM_CONTRAST:
        # A colour map: the distance from the paper's colour says more than the brightness.
        distance = np.abs(colours - np.median(edge(colours), axis=0)).max(axis=2)
        share = distance * np.float32(255 / (0.45 * max(distance.max(), 1)))
        found += show_whole(share.clip(0, 255).round().astype(np.uint8))
    return found


def _of_clutter(image: Image.Image, grey: Grey, layers: list[Grey], sheets: int) -> list[Ink]:
    """On flat paper: of all that differs from it the part that is writing, or the ink on a sheet that lies there."""
    factor = search_factor(image)
    smaller = [
        layer if factor == 1 else np.asarray(Image.fromarray(layer).reduce(factor)) for layer in layers
    ]
    if sheets and (on_sheet := _on_sheet(image, [sheet_box(small) for small in smaller], factor, sheets)):
        return on_sheet
    found = [
        (group, layer)
        for small, layer in zip(smaller, layers, strict=True)
        for group in groups(small, MINIMUM_CONTRAST, flat=True)
    ]
    strongest = max((group.score for group, _ in found), default=0.0)
    found = [(group, layer) for group, layer in found if group.score > 0.05 * strongest]
    if found and min(group.width for group, _ in found) > WIDEST_STROKE:
        found = []  # a thick brush, or a shadow on overexposed paper
    whole = show_whole(layers[0])
    inks = pick_inks(
        [(group, partial(inside, layer)) for group, layer in found], image.size, factor, flat=True
    )
    if not inks:
        return (whole + inks_of_photo(image, grey))[:MOST_INKS]
    if not inks[0].several and np.count_nonzero(inks[0].layer) == np.count_nonzero(layers[0]):
        return whole  # a drawing of several strokes, and nothing to leave out
    as_well = [ink._replace(score=WHOLE * inks[0].score, several=inks[0].several) for ink in whole]
    return (inks + as_well)[:MOST_INKS]


def _on_sheet(image: Image.Image, sheets: list[Box | None], factor: int, depth: int) -> list[Ink]:
    """The ink on the largest of the sheets."""
    found = max((sheet for sheet in sheets if sheet is not None), key=box_area, default=None)
    if found is None:
        return []
    inset = 3 if factor == 1 else 2
    left, top, right, bottom = found
    box = (
        (left + inset) * factor,
        (top + inset) * factor,
        (right - inset) * factor,
        (bottom - inset) * factor,
    )
    if min(box[2] - box[0], box[3] - box[1]) <= SMALL_PICTURE:
        return []
    return [_moved(ink, box) for ink in _of_opaque(image.crop(box), depth - 1)]
