"""Convert a picture of any mode to 8-bit greys, and find contrast that only its colours have."""

import warnings
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from handler.contrast import Grey

Picture: TypeAlias = Image.Image | Grey  # greys: uint8 (h, w)
# Some programs save values of 0 to 1, or of 0 to 16 as in scikit-learn's digits, in 8 bits.
FEW_LEVELS = 16


def turn_upright(image: Image.Image) -> Image.Image:
    """The image turned by its EXIF orientation; a broken orientation is ignored."""
    if not image.info.keys() & {"exif", "xmp", "Raw profile type exif"}:
        return image
    try:
        with warnings.catch_warnings(action="ignore"):
            return ImageOps.exif_transpose(image)
    except Exception:  # Pillow raises any exception for broken EXIF data
        return image


def convert_to_8_bits(image: Image.Image) -> Image.Image:
    """The opaque image in "L" or "RGB"."""
    if image.mode in ("L", "RGB"):
        return image
    if image.mode[0] in "IF":
        return _scale_down(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _scale_down(image: Image.Image) -> Image.Image:
    """16 and 32 bits scaled to 8, where Pillow would clip them at 255; the largest value shows their range."""
    pixels = np.nan_to_num(np.asarray(image, np.float32))
    largest = float(pixels.max(initial=0))
    ranges = (65535.0,) if image.mode.startswith("I;16") else (1.0, 255.0, 65535.0)
    full = next((limit for limit in ranges if largest <= limit), largest)
    return Image.fromarray((pixels.clip(0, full) * (255 / full)).round().astype(np.uint8))


def to_image(picture: Picture) -> Image.Image:
    return picture if isinstance(picture, Image.Image) else Image.fromarray(picture)


def to_grey(picture: Picture) -> Grey:
    """Greys (h, w) of an "L" or "RGB" image or of greys."""
    if isinstance(picture, np.ndarray):
        return picture
    return np.asarray(picture if picture.mode == "L" else picture.convert("L"))


def edge_of_image(image: Image.Image) -> Grey:
    """The greys of the outermost pixels, in the order of handler.two_levels.edge."""
    width, height = image.size
    sides = (
        (0, 0, width, 1),
        (0, height - 1, width, height),
        (0, 0, 1, height),
        (width - 1, 0, width, height),
    )
    return np.concatenate([np.asarray(image.crop(side).convert("L")).ravel() for side in sides])


def find_contrast(image: Image.Image, grey: Grey) -> Grey:
    """Greys (h, w) of an image with hardly any contrast: its few levels stretched, or its strongest colour channel.

    Colours can be equally bright: red on green, yellow on white.
    """
    largest = int(grey.max())
    # In a digit of few levels, many pixels have the lowest or the highest value; in a dark photo, few have.
    if 0 < largest <= FEW_LEVELS and max(np.mean(grey == 0), np.mean(grey == largest)) > 0.3:
        return (grey * np.float32(255 / largest)).round().astype(np.uint8)
    if image.mode == "RGB":
        return np.asarray(max(image.split(), key=lambda band: np.ptp(band.getextrema())))
    return grey
