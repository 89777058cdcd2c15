"""Small pictures of what the model saw and why, as data URIs for the page."""

import base64
import io
import math
import threading

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

SIDE = 28
UPLOAD_SIDE = 1024  # pixels; what the model sees of a picture is 28x28
# A stored picture has fewer bytes. Of a canvas that is scribbled all over there are 42 kB.
MOST_BYTES = 100_000
# For a picture that as a PNG has more: the first that fits; of a photo of 1024x768 that is mostly the first one.
WEBP_QUALITIES = (80, 40)
WEBP_METHOD = 2  # of 0 to 6: 24 ms for such a photo of 59 kB; 4 takes 60 ms for one as large
THUMBNAIL_SIDE = 112
# Paper and ink of a theme, grey levels; under a heat map the ink is paler, so that the colours count.
SHADES = {"light": (255.0, 0.0), "dark": (20.0, 245.0)}
PALE = 0.25
# Decoded, a picture takes 4 bytes a pixel; at 40 million, 160 MB for a moment. One at a time, or a few visitors
# with large pictures fill a small server's memory. A JPEG of any camera stays far below, being decoded small.
MOST_PIXELS = 40_000_000
TOO_LARGE = "This picture has too many pixels. Choose one of at most 40 megapixels."
# What a person may choose: Pillow's names of the formats and the ends of their files' names. A phone that keeps its
# photos in another format converts them to one of these.
FORMATS = {
    "PNG": ("png",),
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "WEBP": ("webp",),
    "GIF": ("gif",),
    "BMP": ("bmp",),
    "TIFF": ("tif", "tiff"),
    "AVIF": ("avif",),
}
ACCEPTED = "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
NO_PICTURE = f"This file is not a readable picture. Choose a {ACCEPTED} file."
# For the digit and against it, by theme: told apart by people who do not see red and green alike.
FOR = {"light": np.array([29.0, 95.0, 214.0]), "dark": np.array([88.0, 150.0, 255.0])}
AGAINST = {"light": np.array([222.0, 108.0, 18.0]), "dark": np.array([255.0, 140.0, 52.0])}

_one_at_a_time = threading.Lock()


class PictureError(Exception):
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
    picture = picture * (1 - strength) + np.where(weight > 0, FOR[theme], AGAINST[theme]) * strength
    return _data_uri(Image.fromarray(picture.round().astype(np.uint8)))


def scaled_down(file: bytes) -> bytes:
    """A picture of any size, upright, as a PNG or WebP of less than MOST_BYTES. Raises PictureError."""
    try:
        with _one_at_a_time, Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as opened:
            opened.draft("RGB", (UPLOAD_SIDE, UPLOAD_SIDE))  # a JPEG is decoded small at once
            _check_size(opened)
            ImageOps.exif_transpose(opened, in_place=True)
            picture = _plain(opened)
            picture.thumbnail((UPLOAD_SIDE, UPLOAD_SIDE))
        return _small_file(picture)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(TOO_LARGE) from None
    except (
        Exception
    ):  # a broken file ends in almost any error: OSError, SyntaxError, struct.error, EOFError ...
        raise PictureError(NO_PICTURE) from None


def thumbnail(file: bytes) -> str | None:
    """A small copy of a logged drawing as a data URI; None where there is nothing to see.

    The page logs no picture of more pixels than an upload has, so more is somebody's joke and not decoded.
    """
    try:
        with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as opened:
            if opened.width * opened.height > UPLOAD_SIDE**2:
                return None
            picture = _plain(opened)
            picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            small = _webp(picture, quality=60)
    except Exception:  # as in scaled_down
        return None
    return "data:image/webp;base64," + base64.b64encode(small).decode("ascii")


def extension(file: bytes) -> str:
    """How the name of a stored picture's file ends, by its first bytes."""
    return "webp" if file.startswith(b"RIFF") else "png"


def _small_file(picture: Image.Image) -> bytes:
    """The picture without loss if that has less than MOST_BYTES, else as a WebP that has."""
    file = _png(picture)
    for quality in WEBP_QUALITIES:
        if len(file) < MOST_BYTES:
            return file
        file = _webp(picture, quality)
    while len(file) >= MOST_BYTES:  # noise
        scale = 0.9 * math.sqrt(MOST_BYTES / len(file))
        picture = picture.resize((math.ceil(picture.width * scale), math.ceil(picture.height * scale)))
        file = _webp(picture, WEBP_QUALITIES[-1])
    return file


def _check_size(picture: Image.Image) -> None:
    if picture.width * picture.height > MOST_PIXELS:
        raise PictureError(TOO_LARGE)


def _plain(picture: Image.Image) -> Image.Image:
    # A palette or a bitmap cannot be scaled smoothly: thin strokes would break.
    if picture.mode.startswith(
        ("I", "F")
    ):  # 16 bits and more: stretched to what it holds, not cut off at 255
        levels = np.asarray(picture, dtype=np.float32)
        levels = (levels - levels.min()) * (255.0 / max(float(np.ptp(levels)), 1e-6))
        return Image.fromarray(levels.astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


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


def _webp(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, method=WEBP_METHOD)
    return file.getvalue()
