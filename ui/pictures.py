"""Small pictures of what the model saw and why, as data URIs for the page."""

import base64
import io
import math
import threading
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, JpegImagePlugin, TiffImagePlugin

# Left, top, right and bottom, shares of a picture's sides.
Box: TypeAlias = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
SIDE = 28
UPLOAD_SIDE = 1024  # pixels; what the model sees of a picture is 28x28
# A stored picture has fewer bytes. Of a canvas that is scribbled all over there are 42 kB.
MOST_BYTES = 100_000
# For a picture that as a PNG has more: the first that fits; of a photo of 1024x768 that is mostly the first one.
WEBP_QUALITIES = (80, 40)
WEBP_METHOD = 2  # of 0 to 6: 24 ms for such a photo of 59 kB; 4 takes 60 ms for one as large
THUMBNAIL_SIDE = 112
LEAST_PART_SIDE = 128  # pixels: of a smaller picture the model takes every pixel for ink or paper
START_OF_SCAN = 0xDA  # a JPEG's marker
# Paper and ink of a theme, grey levels; under a heat map the ink is paler, so that the colours count.
SHADES = {"light": (255.0, 0.0), "dark": (20.0, 245.0)}
PALE = 0.25
# Megapixels, so that no file takes more than about 200 MiB for a moment: decoded, a pixel takes 4 bytes, and up to 16
# where the decoder holds the picture several times. libjpeg keeps a JPEG of several scans whole, with up to 8 bytes a
# pixel, though it decodes it small. Any other JPEG it does not keep, so that of any camera is read. One file at a time,
# or a few visitors with large pictures fill a small server's memory.
MOST_MEGAPIXELS = 40
MOST_MEGAPIXELS_OF = {"WEBP": 13, "AVIF": 13, "TIFF": 13}
MOST_MEGAPIXELS_IN_SCANS = 24
TILE_SIDE = 1024  # pixels; a large picture is scaled down in tiles of at most about as many a side
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
        with _one_at_a_time:
            picture = _read(file)
        return _small_file(picture)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(MOST_MEGAPIXELS) from None
    except (
        Exception
    ):  # a broken file ends in almost any error: OSError, SyntaxError, struct.error, EOFError ...
        raise PictureError(NO_PICTURE) from None


def crop(file: bytes, box: Box) -> bytes:
    """Crop a stored picture to a box, as a picture of its own."""
    with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as picture:
        left, top, right, bottom = (share * side for share, side in zip(box, picture.size * 2, strict=True))
        part = picture.crop((math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)))
    enlarged = LEAST_PART_SIDE / max(part.size)
    if enlarged > 1:
        part = part.resize((math.ceil(part.width * enlarged), math.ceil(part.height * enlarged)))
    return _small_file(part)


def widen(box: Box, by: float) -> Box:
    """The box with a margin, a share of its longer side, within the picture."""
    left, top, right, bottom = box
    margin = by * max(right - left, bottom - top)
    return max(0, left - margin), max(0, top - margin), min(1, right + margin), min(1, bottom + margin)


def data_uri(file: bytes) -> str:
    """A stored picture as the page shows it."""
    return f"data:image/{extension(file)};base64," + base64.b64encode(file).decode("ascii")


def thumbnail(file: bytes) -> str | None:
    """A small copy of a logged drawing as a data URI; None where there is nothing to see.

    The page logs no picture of more pixels than an upload has, so more is somebody's joke and not decoded.
    """
    try:
        with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as opened:
            if _decoded_pixels(opened) > UPLOAD_SIDE**2:
                return None
            picture = _reduced(opened)
            picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            small = _webp(picture, quality=60)
    except Exception:  # as in scaled_down
        return None
    return data_uri(small)


def extension(file: bytes) -> str:
    """How the name of a stored picture's file ends, by its first bytes."""
    return "webp" if file.startswith(b"RIFF") else "png"


def _read(file: bytes) -> Image.Image:
    """The picture's pixels, upright and of an upload's size; what was decoded is no longer in memory."""
    with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as opened:
        _check_size(opened, file)
        picture = _reduced(opened)
        picture.info = dict(opened.info)  # says which side is up
    picture.thumbnail((UPLOAD_SIDE, UPLOAD_SIDE))
    ImageOps.exif_transpose(picture, in_place=True)
    picture.info.clear()  # the pixels are stored, and nothing else that the file tells
    return picture


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


def _check_size(picture: Image.Image, file: bytes) -> None:
    """Raises PictureError for more pixels than there is memory for; makes a JPEG ready to be decoded small."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile) and _has_scans(picture, file):
        _check_megapixels(picture, MOST_MEGAPIXELS_IN_SCANS)
    picture.draft("RGB", (UPLOAD_SIDE, UPLOAD_SIDE))
    _check_megapixels(picture, MOST_MEGAPIXELS_OF.get(picture.format or "", MOST_MEGAPIXELS))


def _has_scans(picture: JpegImagePlugin.JpegImageFile, file: bytes) -> bool:
    """Whether a JPEG comes in several scans: it is progressive, or its first scan lacks some of its components."""
    position = 2
    while file[position] == 0xFF and 0xC0 <= file[position + 1] < 0xFF:
        if file[position + 1] == START_OF_SCAN:
            return bool(picture.info.get("progressive")) or file[position + 4] < picture.layers
        position += 2 + int.from_bytes(file[position + 2 : position + 4], "big")
    return True  # bytes between the segments, that no camera writes


def _check_megapixels(picture: Image.Image, most: int) -> None:
    if _decoded_pixels(picture) > most * 1_000_000:
        raise _too_large(most)


def _too_large(most: int) -> PictureError:
    return PictureError(f"This picture has too many pixels. Choose one of at most {most} megapixels.")


def _decoded_pixels(picture: Image.Image) -> int:
    """How many pixels are decoded at once: those of the picture, or of a TIFF's tile, which may be larger."""
    pixels = picture.width * picture.height
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        sides = (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)
        return max(pixels, math.prod(picture.tag_v2.get(side, 0) for side in sides))
    return pixels


def _reduced(picture: Image.Image) -> Image.Image:
    """The picture as L, RGB or RGBA, a large one by a whole factor smaller, to less than twice an upload's side.

    Tile by tile: converted as a whole, a large picture would be in memory two or three times more.
    """
    picture.load()
    lowest, highest = picture.getextrema() if _is_deep(picture) else (0, 255)
    width, height = picture.size
    factor = max(1, max(width, height) // UPLOAD_SIDE)
    side = factor * max(1, TILE_SIDE // factor)
    mode = _plain(picture.crop((0, 0, 1, 1)), lowest, highest).mode
    reduced = Image.new(mode, (math.ceil(width / factor), math.ceil(height / factor)))
    for top in range(0, height, side):
        for left in range(0, width, side):
            box = (left, top, min(left + side, width), min(top + side, height))
            tile = _plain(picture.crop(box), lowest, highest).reduce(factor)
            reduced.paste(tile, (left // factor, top // factor))
    return reduced


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith(("I", "F"))


def _plain(picture: Image.Image, lowest: float, highest: float) -> Image.Image:
    # A palette or a bitmap cannot be scaled smoothly: thin strokes would break.
    if _is_deep(picture):  # 16 bits and more: stretched to what it holds, not cut off at 255
        levels = np.asarray(picture, dtype=np.float32)
        levels = (levels - lowest) * (255.0 / max(highest - lowest, 1e-6))
        return Image.fromarray(levels.astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def _ink(encoded: str) -> NDArray[np.float64]:
    """How much ink each of 28x28 pixels has, 0 to 1."""
    pixels = np.frombuffer(base64.b64decode(encoded, validate=True), np.uint8)
    return pixels.reshape(SIDE, SIDE) / 255.0


def _data_uri(picture: Image.Image) -> str:
    return data_uri(_png(picture))


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _webp(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, method=WEBP_METHOD)
    return file.getvalue()
