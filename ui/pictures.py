"""Small pictures of what the model saw and why, as data URIs for the page."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

SIDE = 28
UPLOAD_SIDE = 1024  # pixels; what the model sees of a picture is 28x28
# Paper and ink of a theme, grey levels; under a heat map the ink is paler, so that the colours count.
SHADES = {"light": (255.0, 0.0), "dark": (27.0, 245.0)}
PALE = 0.25
# For the digit and against it: told apart by people who do not see red and green alike.
FOR = np.array([29.0, 95.0, 214.0])
AGAINST = np.array([222.0, 108.0, 18.0])


class PictureError(ValueError):
    """A file that is no picture; the message is a sentence for the person who chose it."""


def seen_by_model(encoded: str, theme: str) -> str:
    """What the model saw, in the shades of a theme, "light" or "dark"; `encoded` is base64 of 28x28 bytes, ink 255."""
    paper, ink = SHADES[theme]
    return _data_uri(Image.fromarray((paper + (ink - paper) * _ink(encoded)).round().astype(np.uint8)))


def heat_map(encoded: str, weights: list[list[float]], theme: str) -> str:
    """`weights`, 28x28 from -1 to 1, coloured over what the model saw."""
    paper, ink = SHADES[theme]
    picture = (paper + (ink - paper) * PALE * _ink(encoded))[..., None]
    weight = np.array(weights)[..., None]
    strength = np.sqrt(np.abs(weight))  # the weak ones show too
    picture = picture * (1 - strength) + np.where(weight > 0, FOR, AGAINST) * strength
    return _data_uri(Image.fromarray(picture.round().astype(np.uint8)))


def scaled_down(file: bytes) -> bytes:
    """A picture of any size as a PNG that the model accepts. Raises PictureError."""
    try:
        with Image.open(io.BytesIO(file)) as opened:
            opened.draft("RGB", (UPLOAD_SIDE, UPLOAD_SIDE))  # a JPEG is decoded small at once
            picture = ImageOps.exif_transpose(opened)
            picture.thumbnail((UPLOAD_SIDE, UPLOAD_SIDE))
            if picture.mode not in ("1", "L", "LA", "RGB", "RGBA", "I;16"):
                picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            return _png(picture)
    except Image.DecompressionBombError:
        raise PictureError(
            "This picture has too many pixels. Choose one of at most 100 megapixels."
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise PictureError(
            "This file is no picture that can be read. Choose a PNG, JPEG, WebP, GIF or BMP."
        ) from None


def _ink(encoded: str) -> NDArray[np.float64]:
    """How much ink each of 28x28 pixels has, 0 to 1."""
    pixels = np.frombuffer(base64.b64decode(encoded, validate=True), np.uint8)
    return pixels.reshape(SIDE, SIDE) / 255.0


def _data_uri(picture: Image.Image) -> str:
    return "data:image/png;base64," + base64.b64encode(_png(picture)).decode("ascii")


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
