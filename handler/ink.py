"""Find the ink of a picture: which pixels a pen has touched, whatever the colours and the paper.

    layer = find_ink(Image.open("seven.jpg"))   # "L": ink up to 255 on exactly 0, or None for a blank

A drawing program gives flat paper: its edge has one value and the rest follows from a lookup table.
Anything else (a photo, JPEG noise, ink over the edge) is split in two by Otsu's threshold, after the
light was evened out if two levels do not explain it; paper is what the edge shows more of.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Less difference than this, of 255, is no ink: JPEG noise reaches 10, a soft pencil leaves 30.
MINIMUM_CONTRAST = 20
# An edge that varies by no more than this is flat paper, and so is everything this near to it.
FLAT = 2
# In a picture larger than this, rims fainter than RIM of the ink are left out: they are JPEG's ringing
# or a brush's soft edge. In MNIST's own size a faint pixel is a twentieth of the digit and counts.
SMALL_PICTURE = 40
RIM = 0.2
# A picture is judged at this many pixels a side: strokes survive, the grain of a photo averages out.
JUDGED_SIZE = 256
# Ink that is shorter than this when judged is looked at again, closer.
CLOSER_BELOW = 48
# The share of the variance that two levels explain. Ink on evenly lit paper has 0.9 and more, a plain
# ramp of light 0.75.
TWO_LEVELS = 0.88
# What differs from the edge and fills a box by this share may be a sheet that lies on something.
SHEET = 0.75

Grey = NDArray[np.uint8]
Real = NDArray[np.float32]


def find_ink(image: Image.Image) -> Image.Image | None:
    """The ink of an image of any mode and size, as an "L" image: ink up to 255, paper exactly 0.

    It may be smaller than the image, never distorted. None for a blank: no ink, or one colour only.
    """
    if "exif" in image.info or "xmp" in image.info:
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        return _ink_of_transparent(image.convert("RGBA"))
    return _ink_of_opaque(image)


def _ink_of_transparent(image: Image.Image) -> Image.Image | None:
    """Strokes on nothing: the ink is what is not transparent. An opaque picture: as if without alpha."""
    alpha = image.getchannel("A")
    low, high = alpha.getextrema()
    if high - low < MINIMUM_CONTRAST:
        return _ink_of_opaque(image.convert("RGB")) if low >= MINIMUM_CONTRAST else None
    box = alpha.point([0] * 128 + [255] * 128).getbbox()
    if box is not None and np.asarray(alpha.crop(box)).mean() > SHEET * 255:
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


def _ink_of_opaque(image: Image.Image) -> Image.Image | None:
    found = _ink_of_grey(_grey(image))
    if found is None and (image.mode == "P" or len(image.getbands()) > 1):
        # Colours can differ and be as bright as each other: red on green, yellow on white.
        bands = image.convert("RGB").split()
        return _ink_of_grey(max(bands, key=lambda band: band.getextrema()[1] - band.getextrema()[0]))
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


def _ink_of_grey(grey: Image.Image) -> Image.Image | None:
    low, high = grey.getextrema()
    if high - low < MINIMUM_CONTRAST:
        return None
    pixels = np.asarray(grey)
    edge = _edge(pixels)
    if int(edge.max()) - int(edge.min()) <= FLAT:
        found = _ink_on_flat_paper(grey, int(edge.min()), low, high)
    else:
        found = _ink_on_any_paper(grey)
    if found is None:
        return None
    return _ink_on_sheet(grey, found) or found


def _edge(pixels: NDArray) -> NDArray:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _ink_on_flat_paper(grey: Image.Image, paper: int, low: int, high: int) -> Image.Image | None:
    if paper - low > FLAT and high - paper > FLAT:
        counts = np.array(grey.histogram())
        steps = np.arange(256) - paper
        darker = -int((counts * steps)[:paper].sum())
        lighter = int((counts * steps)[paper:].sum())
    else:
        darker, lighter = paper - low, high - paper
    return _stretched(grey, paper, low if darker >= lighter else high)


def _stretched(grey: Image.Image, paper: int, ink: int) -> Image.Image | None:
    """Paper to 0 and ink to 255, what lies beyond or near the paper's value to 0."""
    if abs(ink - paper) < MINIMUM_CONTRAST:
        return None
    faint = FLAT if max(grey.size) <= SMALL_PICTURE else max(FLAT, RIM * abs(ink - paper))
    if max(grey.size) <= SMALL_PICTURE and paper in (0, 255):
        faint = 0
    share = (np.arange(256) - paper) / (ink - paper)
    table = np.where(share * abs(ink - paper) > faint, share * 255, 0).clip(0, 255).round()
    return grey.point(table.astype(int).tolist())


def _ink_on_any_paper(grey: Image.Image) -> Image.Image | None:
    factor = math.ceil(max(grey.size) / JUDGED_SIZE)
    pixels = np.asarray(grey.reduce(factor) if factor > 1 else grey)
    threshold, explained = _otsu(pixels)
    if explained < TWO_LEVELS:
        pixels = _evened(pixels)
        threshold, explained = _otsu(pixels)
    dark = pixels <= threshold
    on_edge = float(_edge(dark).mean())
    # An edge that shows as much of both says nothing: then ink is the rarer of the two.
    dark_is_ink = (dark.mean() if 0.45 < on_edge < 0.55 else on_edge) < 0.5  # noqa: PLR2004
    is_ink = dark if dark_is_ink else ~dark
    if not is_ink.any() or is_ink.all():
        return None
    blank_paper = pixels[~is_ink]
    paper = float(np.median(blank_paper))
    noise = 1.4826 * float(np.median(np.abs(blank_paper - np.float32(paper))))
    contrast = float(np.median(pixels[is_ink])) - paper
    if abs(contrast) < max(MINIMUM_CONTRAST, 4 * noise):
        return None
    share = (pixels - np.float32(paper)) / np.float32(contrast)
    faint = max(RIM, 3 * noise / abs(contrast))
    share = _without_specks(np.where(share > faint, share, 0))
    found = Image.fromarray((share.clip(0, 1) * 255).round().astype(np.uint8))
    return _closer(grey, found, factor)


def _otsu(pixels: Grey) -> tuple[int, float]:
    """Otsu's threshold (dark is <=) and the share of the variance that its two levels explain.

    N. Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    counts = np.bincount(pixels.ravel(), minlength=256).astype(float)
    below = counts.cumsum()
    sums = (counts * np.arange(256)).cumsum()
    total, mean = below[-1], sums[-1] / below[-1]
    above = np.maximum(total - below, 1e-9)
    between = (mean * below - sums) ** 2 / (np.maximum(below, 1e-9) * above)
    # Between two peaks every threshold is as good: the middle one of the best.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    variance = (counts * (np.arange(256) - mean) ** 2).sum() / total
    return int(best[len(best) // 2]), float(between.max() / max(float(variance), 1e-9))


def _evened(pixels: Grey) -> Grey:
    """The picture as if lit evenly: divided by a quadratic surface of light fitted to the paper."""
    height, width = pixels.shape
    y, x = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32),
        np.linspace(-1, 1, width, dtype=np.float32),
        indexing="ij",
    )
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = pixels.reshape(-1).astype(np.float32)
    step = max(1, len(values) // 4096)
    some_basis, some_values = basis[::step], values[::step]
    kept = np.ones(len(some_values), bool)
    # Ink is the minority that a fit to all of it fits worst: leave that out and fit again.
    for _ in range(6):
        weights, *_ = np.linalg.lstsq(some_basis[kept], some_values[kept], rcond=None)
        off = np.abs(some_values - some_basis @ weights)
        kept = off <= max(2.5 * float(np.median(off)), 2.0)
    light = np.maximum(basis @ weights, 8)
    level = float(np.median(light))
    return (values * (level / light)).clip(0, 255).reshape(height, width).round().astype(np.uint8)


def _without_specks(share: Real) -> Real:
    """Ink has neighbours: a pixel with fewer than two inked ones around it is dust."""
    inked = np.pad(share > 0, 1).astype(np.uint8)
    rows = inked[:-2] + inked[1:-1] + inked[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return np.where(around > 2, share, 0).astype(np.float32)  # noqa: PLR2004


def _closer(grey: Image.Image, found: Image.Image, factor: int) -> Image.Image | None:
    """A small digit in a large picture, looked at again without the rest; else what was found."""
    box = found.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    if factor == 1 or longer >= CLOSER_BELOW:
        return found
    margin = longer
    width, height = grey.size
    again = grey.crop(
        (
            max(0, (left - margin) * factor),
            max(0, (top - margin) * factor),
            min(width, (right + margin) * factor),
            min(height, (bottom + margin) * factor),
        )
    )
    return (_ink_on_any_paper(again) if again.size != grey.size else None) or found


def _ink_on_sheet(grey: Image.Image, found: Image.Image) -> Image.Image | None:
    """If what was found is a whole rectangle, it may be a sheet: the ink on it, or None if it is bare."""
    box = found.getbbox()
    if box is None or found.size != grey.size:
        return None
    inside = np.asarray(found.crop(box)) > 127  # noqa: PLR2004
    if min(inside.shape) < 8 or inside.mean() < SHEET or _edge(inside).mean() < 0.95:  # noqa: PLR2004
        return None
    return _ink_of_grey(grey.crop(box))
