"""Pictures: uploads scaled down, thumbnails, and the model's input and heat maps, as data URIs for the page."""

import base64
import io
import math
import threading
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, JpegImagePlugin, TiffImagePlugin

# Left, top, right, bottom, as shares of a picture's sides.
Box: TypeAlias = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
SIDE = 28
UPLOAD_SIDE = 1024  # pixels; the network's input is 28x28
# Limit of a stored picture. A canvas that is scribbled all over has 42 kB.
MOST_BYTES = 100_000
# For a picture that is larger as PNG: the first quality that fits, mostly 80 for a photo of 1024x768.
WEBP_QUALITIES = (80, 40)
WEBP_METHOD = 2  # of 0 to 6: such a photo takes 24 ms for 59 kB; with 4 it takes 60 ms for the same size
THUMBNAIL_SIDE = 112
LEAST_PART_SIDE = 128  # pixels: in a smaller picture the model takes every pixel for ink or paper
START_OF_SCAN = 0xDA  # JPEG marker
# Grey levels of paper and ink. Under a heat map the ink is paler, so that the colours stand out.
SHADES = {"light": (255.0, 0.0), "dark": (20.0, 245.0)}
PALE = 0.25
# Megapixels, so that an upload needs at most about 200 MiB. A decoded pixel has 4 bytes, and up to 16 where the decoder
# holds the picture several times. libjpeg holds a JPEG of several scans whole, up to 8 bytes a pixel, even if it
# decodes it small. It does not hold other JPEGs, so the photos of all cameras are accepted.
MOST_MEGAPIXELS = 40
MOST_MEGAPIXELS_OF = {"WEBP": 13, "AVIF": 13, "TIFF": 13}
MOST_MEGAPIXELS_IN_SCANS = 24
TILE_SIDE = 1024  # pixels; approximate side of the tiles in which a large picture is scaled down
# Accepted formats: Pillow's names, with the endings of file names. Phones convert photos of other formats.
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
# Evidence for and against the digit, distinct for red-green colour blindness.
FOR = {"light": np.array([29.0, 95.0, 214.0]), "dark": np.array([88.0, 150.0, 255.0])}
AGAINST = {"light": np.array([222.0, 108.0, 18.0]), "dark": np.array([255.0, 140.0, 52.0])}

# One upload at a time: a few large ones together fill a small server's memory.
_decoding = threading.Lock()


class PictureError(Exception):
    """A file is no readable picture. The message is a sentence for the person who chose it."""


def draw_input(encoded: str, theme: str) -> str:
    """The network's input as a data URI. `encoded`: base64 of 28x28 bytes, ink 255; `theme`: "light" or "dark"."""
    paper, ink = SHADES[theme]
    return _draw(paper + (ink - paper) * _ink(encoded))


def draw_heat_map(encoded: str, weights: list[list[float]], theme: str) -> str:
    """The network's input, coloured by `weights`, 28x28 from -1 to 1, as a data URI."""
    paper, ink = SHADES[theme]
    picture = (paper + (ink - paper) * PALE * _ink(encoded))[..., None]
    weight = np.array(weights)[..., None]
    strength = np.sqrt(np.abs(weight))  # makes small weights visible
    return _draw(picture * (1 - strength) + np.where(weight > 0, FOR[theme], AGAINST[theme]) * strength)


def scale_down(file: bytes) -> bytes:
    """An upload as an upright PNG or WebP of less than MOST_BYTES. Raises PictureError."""
    try:
        with _decoding:
            picture = _decode(file)
        return _encode(picture)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(MOST_MEGAPIXELS) from None
    except Exception:  # a broken file raises almost any error: OSError, SyntaxError, struct.error, EOFError
        raise PictureError(NO_PICTURE) from None


def read_size(file: bytes) -> tuple[int, int]:
    """Width and height of a stored picture, in pixels."""
    with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as picture:
        return picture.size


def crop(file: bytes, box: Box) -> bytes:
    """A box of a stored picture, as a stored picture."""
    with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as picture:
        left, top, right, bottom = (share * side for share, side in zip(box, picture.size * 2, strict=True))
        part = picture.crop((math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)))
    scale = LEAST_PART_SIDE / max(part.size)
    return _encode(_resize(part, scale) if scale > 1 else part)


def widen(box: Box, by: float) -> Box:
    """The box with a margin, a share of its longer side, within the picture."""
    left, top, right, bottom = box
    margin = by * max(right - left, bottom - top)
    return max(0, left - margin), max(0, top - margin), min(1, right + margin), min(1, bottom + margin)


def data_uri(file: bytes) -> str:
    """A stored picture as a data URI."""
    return f"data:image/{extension(file)};base64," + base64.b64encode(file).decode("ascii")


def make_thumbnail(file: bytes) -> str | None:
    """A small copy of a stored picture as a data URI; None if it is unreadable.

    A picture with more pixels than an upload is not from this page, and is not decoded.
    """
    try:
        with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as opened:
            if _decoded_pixels(opened) > UPLOAD_SIDE**2:
                return None
            picture = _reduce(opened)
            picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
            return data_uri(_save(picture, "WEBP", quality=60, method=WEBP_METHOD))
    except Exception:  # as in scale_down
        return None


def extension(file: bytes) -> str:
    """The ending of a stored picture's file name, by its first bytes."""
    return "webp" if file.startswith(b"RIFF") else "png"


def _decode(file: bytes) -> Image.Image:
    """The pixels of an upload, upright and scaled down."""
    with Image.open(io.BytesIO(file), formats=tuple(FORMATS)) as opened:
        _check_size(opened, file)
        picture = _reduce(opened)
        picture.info = dict(opened.info)  # has the orientation
    picture.thumbnail((UPLOAD_SIDE, UPLOAD_SIDE))
    ImageOps.exif_transpose(picture, in_place=True)
    picture.info.clear()  # metadata is not stored
    return picture


def _encode(picture: Image.Image) -> bytes:
    """The picture as PNG if that has less than MOST_BYTES, else as WebP, smaller if necessary."""
    file = _save(picture, "PNG")
    for quality in WEBP_QUALITIES:
        if len(file) < MOST_BYTES:
            return file
        file = _save(picture, "WEBP", quality=quality, method=WEBP_METHOD)
    while len(file) >= MOST_BYTES:  # noise
        picture = _resize(picture, 0.9 * math.sqrt(MOST_BYTES / len(file)))
        file = _save(picture, "WEBP", quality=WEBP_QUALITIES[-1], method=WEBP_METHOD)
    return file


def _resize(picture: Image.Image, scale: float) -> Image.Image:
    return picture.resize((math.ceil(picture.width * scale), math.ceil(picture.height * scale)))


def _check_size(picture: Image.Image, file: bytes) -> None:
    """Raise PictureError for too many pixels; prepare a JPEG to be decoded small."""
    if isinstance(picture, JpegImagePlugin.JpegImageFile) and _has_scans(picture, file):
        _check_megapixels(picture, MOST_MEGAPIXELS_IN_SCANS)
    picture.draft("RGB", (UPLOAD_SIDE, UPLOAD_SIDE))
    _check_megapixels(picture, MOST_MEGAPIXELS_OF.get(picture.format or "", MOST_MEGAPIXELS))


def _has_scans(picture: JpegImagePlugin.JpegImageFile, file: bytes) -> bool:
    """Whether a JPEG has several scans: it is progressive, or its first scan lacks components."""
    position = 2
    while file[position] == 0xFF and 0xC0 <= file[position + 1] < 0xFF:
        if file[position + 1] == START_OF_SCAN:
            return bool(picture.info.get("progressive")) or file[position + 4] < picture.layers
        position += 2 + int.from_bytes(file[position + 2 : position + 4], "big")
    return True  # bytes between the segments, which no camera writes


def _check_megapixels(picture: Image.Image, most: int) -> None:
    if _decoded_pixels(picture) > most * 1_000_000:
        raise _too_large(most)


def _too_large(most: int) -> PictureError:
    return PictureError(f"This picture has too many pixels. Choose one of at most {most} megapixels.")


def _decoded_pixels(picture: Image.Image) -> int:
    """The pixels that are decoded at once: of the picture, or of a TIFF's tile if that is larger."""
    pixels = picture.width * picture.height
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        sides = (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)
        return max(pixels, math.prod(picture.tag_v2.get(side, 0) for side in sides))
    return pixels


def _reduce(picture: Image.Image) -> Image.Image:
    """The picture as L, RGB or RGBA, reduced by an integer factor to less than twice an upload's side.

    It is converted in tiles: the conversion of a whole large picture would need two or three times its memory.
    """
    picture.load()
    lowest, highest = picture.getextrema() if _is_deep(picture) else (0, 255)
    width, height = picture.size
    factor = max(1, max(width, height) // UPLOAD_SIDE)
    side = factor * max(1, TILE_SIDE // factor)
    mode = _convert(picture.crop((0, 0, 1, 1)), lowest, highest).mode
    reduced = Image.new(mode, (math.ceil(width / factor), math.ceil(height / factor)))
    for top in range(0, height, side):
        for left in range(0, width, side):
            box = (left, top, min(left + side, width), min(top + side, height))
            tile = _convert(picture.crop(box), lowest, highest).reduce(factor)
            reduced.paste(tile, (left // factor, top // factor))
    return reduced


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith(("I", "F"))


def _convert(picture: Image.Image, lowest: float, highest: float) -> Image.Image:
    """The picture as L, RGB or RGBA. A palette or bitmap cannot be scaled smoothly: thin strokes would break."""
    if _is_deep(picture):  # 16 bits and more: stretched to its range, not clipped at 255
        levels = np.asarray(picture, dtype=np.float32)
        levels = (levels - lowest) * (255.0 / max(highest - lowest, 1e-6))
        return Image.fromarray(levels.astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def _ink(encoded: str) -> NDArray[np.float64]:
    """The ink of 28x28 pixels, 0 to 1."""
    pixels = np.frombuffer(base64.b64decode(encoded, validate=True), np.uint8)
    return pixels.reshape(SIDE, SIDE) / 255.0


def _draw(levels: NDArray[np.float64]) -> str:
    return data_uri(_save(Image.fromarray(levels.round().astype(np.uint8)), "PNG"))


def _save(picture: Image.Image, picture_format: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, picture_format, **options)
    return file.getvalue()
