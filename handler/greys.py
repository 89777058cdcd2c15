"""A picture of any mode in 8-bit greys, and what only its colours tell apart."""

import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Pixel values of 0 to 1, or to 16 as in the digits of scikit-learn, saved in 8 bits.
FEW_LEVELS = 16


def turn_upright(image: Image.Image) -> Image.Image:
    """As a camera noted that it was held; a broken note is no reason to refuse the picture."""
    if not image.info.keys() & {"exif", "xmp", "Raw profile type exif"}:
        return image
    try:
        with warnings.catch_warnings(action="ignore"):
            return ImageOps.exif_transpose(image)
    except Exception:  # whatever the note's bytes lead Pillow to
        return image


def in_eight_bits(image: Image.Image) -> Image.Image:
    """An "L" or "RGB" image of an opaque one."""
    if image.mode in ("L", "RGB"):
        return image
    return (
        _scaled_down(image) if image.mode[0] in "IF" else image.convert("L" if image.mode == "1" else "RGB")
    )


def _scaled_down(image: Image.Image) -> Image.Image:
    """Pillow would clip 16 and 32 bits at 255: scale by the range that the largest value tells."""
    pixels = np.nan_to_num(np.asarray(image, np.float32))
    largest = float(pixels.max(initial=0))
    full = (
        65535.0
        if image.mode.startswith("I;16")
        else next((limit for limit in (1.0, 255.0, 65535.0) if largest <= limit), largest)
    )
    return Image.fromarray((pixels.clip(0, full) * (255 / full)).round().astype(np.uint8))


def find_contrast(image: Image.Image, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Greys (h, w) of an image that has hardly any: few levels on the whole range, or its strongest colour channel.

    Colours can differ and be as bright as each other: red on green, yellow on white.
    """
    largest = int(grey.max())
    # An array of a digit has much of its lowest or highest value, a dark photo has not.
    if 0 < largest <= FEW_LEVELS and max(np.mean(grey == 0), np.mean(grey == largest)) > 0.3:
        stretched: NDArray[np.uint8] = (grey * np.float32(255 / largest)).round().astype(np.uint8)
        return stretched
    if image.mode == "RGB":
        return np.asarray(max(image.split(), key=lambda band: np.ptp(band.getextrema())))
    return grey
