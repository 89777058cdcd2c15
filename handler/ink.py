"""Find the ink of a picture: which pixels a pen has touched, whatever the colours and the paper.

    layer = find_ink(Image.open("seven.jpg"))   # "L": ink up to 255 on exactly 0, or None for a blank

A drawing program gives flat paper: its edge has one value and the rest follows from a lookup table.
Anything else (a photo, noise, ink over the edge) is judged by what two levels explain: handler/photo.py.
"""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from handler.photo import MINIMUM_CONTRAST, RIM, SMALL_PICTURE, Grey, edge, ink_of_photo

Box = tuple[int, int, int, int]  # left, top, right and bottom

# Paper that varies by no more than this, of 255, is flat: a program drew it.
FLAT = 2
# Of the edge of a drawing so much is paper at least, and so little is neither paper nor ink.
EDGE_OF_PAPER = 0.55
EDGE_IN_BETWEEN = 0.1
# What differs from the edge and fills a box by this share may be a sheet that lies on something.
SHEET = 0.75
# The edge of a photographed sheet is not sharp: this share of its sides is cut off with what lies around it.
SHEET_MARGIN = 0.03


def find_ink(image: Image.Image) -> Image.Image | None:
    """The ink of an image of any mode and size, as an "L" image: ink up to 255, paper exactly 0.

    It may be smaller than the image, never distorted. None for a blank: no ink, or one colour only.
    """
    image = _upright(image)
    transparent = image.has_transparency_data
    found = _ink_of_transparent(image.convert("RGBA")) if transparent else _ink_of_opaque(image)
    return None if found is None else Image.fromarray(found)


def _upright(image: Image.Image) -> Image.Image:
    """As a camera noted that it was held; a broken note is no reason to refuse the picture."""
    if not image.info.keys() & {"exif", "xmp", "Raw profile type exif"}:
        return image
    try:
        with warnings.catch_warnings(action="ignore"):
            return ImageOps.exif_transpose(image)
    except Exception:  # whatever the note's bytes lead Pillow to
        return image


def _ink_of_transparent(image: Image.Image) -> Grey | None:
    """Strokes on nothing: the ink is what is not transparent. An opaque picture: as if without alpha."""
    alpha = np.asarray(image.getchannel("A"))
    low, high = _range(alpha)
    if high - low < MINIMUM_CONTRAST:
        return _ink_of_opaque(image) if low >= MINIMUM_CONTRAST else None
    box = _box(alpha > 127)
    if box is not None and _inside(alpha, box).mean() > SHEET * 255:
        # A sheet with a transparent margin, or a stroke as straight as a ruler: look on the sheet first.
        sheet = image.crop(box)
        paper = Image.new("RGBA", sheet.size, _usual_colour(sheet))
        found = _ink_of_opaque(Image.alpha_composite(paper, sheet).convert("RGB"))
        if found is not None:
            return found
    return _stretched(alpha, low, high)


def _usual_colour(sheet: Image.Image) -> tuple[int, ...]:
    """The median colour of what is opaque."""
    pixels = np.asarray(sheet.resize((32, 32), Image.Resampling.NEAREST)).reshape(-1, 4)
    opaque = pixels[pixels[:, 3] > 127]
    return (*(int(value) for value in np.median(opaque[:, :3], axis=0)), 255) if len(opaque) else (255,) * 4


def _ink_of_opaque(image: Image.Image) -> Grey | None:
    found = _ink_of_grey(np.asarray(_grey(image)))
    if found is None and (image.mode == "P" or len(image.getbands()) > 1):
        # Colours can differ and be as bright as each other: red on green, yellow on white.
        bands = [np.asarray(band) for band in image.convert("RGB").split()]
        return _ink_of_grey(max(bands, key=lambda band: _range(band)[1] - _range(band)[0]))
    return found


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    if image.mode[0] not in "IF":
        return image.convert("L")
    # Pillow would clip 16 and 32 bits at 255: scale by the range that the largest value tells.
    pixels = np.nan_to_num(np.asarray(image, np.float32))
    largest = float(pixels.max(initial=0))
    full = (
        65535.0
        if image.mode.startswith("I;16")
        else next((limit for limit in (1.0, 255.0, 65535.0) if largest <= limit), largest)
    )
    return Image.fromarray((pixels.clip(0, full) * (255 / full)).round().astype(np.uint8))


def _range(pixels: Grey) -> tuple[int, int]:
    return int(pixels.min()), int(pixels.max())


def _ink_of_grey(pixels: Grey) -> Grey | None:
    low, high = _range(pixels)
    if high - low < MINIMUM_CONTRAST:
        return None
    paper = _flat_paper(pixels)
    found = _ink_of_photo(pixels) if paper is None else _ink_on_flat_paper(pixels, paper, low, high)
    if found is None:
        return None
    on_sheet = _ink_on_sheet(pixels, found)
    return found if on_sheet is None else on_sheet


def _flat_paper(pixels: Grey) -> int | None:
    """The value of the paper if the edge shows that it is flat; some ink may go over the edge."""
    counts = np.bincount(edge(pixels), minlength=256)
    paper = int(counts.argmax())
    flat, near = (_share_within(counts, paper, distance) for distance in (FLAT, MINIMUM_CONTRAST - 1))
    return paper if flat >= EDGE_OF_PAPER and near - flat <= EDGE_IN_BETWEEN else None


def _share_within(counts: NDArray[np.int64], value: int, distance: int) -> float:
    return float(counts[max(0, value - distance) : value + distance + 1].sum() / counts.sum())


def _ink_of_photo(pixels: Grey) -> Grey | None:
    found = ink_of_photo(Image.fromarray(pixels))
    return None if found is None else np.asarray(found)


def _ink_on_flat_paper(pixels: Grey, paper: int, low: int, high: int) -> Grey | None:
    if paper - low > FLAT and high - paper > FLAT:
        counts = np.bincount(pixels.ravel(), minlength=256)
        steps = np.arange(256) - paper
        darker = -int((counts * steps)[:paper].sum())
        lighter = int((counts * steps)[paper:].sum())
    else:
        darker, lighter = paper - low, high - paper
    return _stretched(pixels, paper, low if darker >= lighter else high)


def _stretched(pixels: Grey, paper: int, ink: int) -> Grey | None:
    """Paper to 0 and ink to 255, what lies beyond or near the paper's value to 0."""
    if abs(ink - paper) < MINIMUM_CONTRAST:
        return None
    # In a larger picture a faint rim is JPEG's ringing or a soft brush, and would widen the digit's box.
    faint = 0 if max(pixels.shape) <= SMALL_PICTURE else max(FLAT, RIM * abs(ink - paper))
    stretched = np.zeros_like(pixels)
    box = _box(pixels - np.uint8(paper))
    if box is not None:
        # In half the time of numpy's indexing and of Pillow's point.
        inside = _inside(pixels, box)
        table = _table(paper, ink, faint)
        _inside(stretched, box)[:] = np.frombuffer(inside.tobytes().translate(table), np.uint8).reshape(
            inside.shape
        )
    return stretched


@lru_cache  # most drawings come in the page's colours
def _table(paper: int, ink: int, faint: float) -> bytes:
    share = (np.arange(256) - paper) / (ink - paper)
    table = np.where(share * abs(ink - paper) > faint, share * 255, 0).clip(0, 255).round()
    return table.astype(np.uint8).tobytes()


def _ink_on_sheet(pixels: Grey, found: Grey) -> Grey | None:
    """If what was found is a whole rectangle, it may be a sheet: the ink on it, or None if it is bare."""
    if max(pixels.shape) <= SMALL_PICTURE:
        return None
    box = _box(found)
    if box is None or box == (0, 0, found.shape[1], found.shape[0]):
        return None
    inside = _inside(found, box) > 127
    if min(inside.shape) < 8 or np.count_nonzero(inside) < SHEET * inside.size:
        return None
    margin = round(SHEET_MARGIN * min(inside.shape)) if edge(inside).mean() < 0.95 else 0
    if margin and edge(inside[margin:-margin, margin:-margin]).mean() < 0.95:
        return None
    scale = max(1, round(max(pixels.shape) / max(found.shape)))
    left, top, right, bottom = box
    sheet = (left + margin, top + margin, right - margin, bottom - margin)
    ink = _ink_of_grey(_inside(pixels, tuple(side * scale for side in sheet)))
    # What reaches the sheet's edge are the round corners of a thick stroke.
    return ink if ink is not None and not edge(ink).any() else None


def _box(pixels: NDArray[Any]) -> Box | None:
    """The smallest box with everything that is not 0."""
    return Image.fromarray(pixels).getbbox()  # in half of numpy's time


def _inside(pixels: Grey, box: Box) -> Grey:
    left, top, right, bottom = box
    return pixels[top:bottom, left:right]
