"""Image bytes from a stranger, opened without trusting them.

    image = open_image(data)      # header read and size checked; nothing decoded yet but a browser's canvas
    image = decoded(image)        # pixels there, or a ClientError

The size is refused from the header, so that a small file never unfolds into gigabytes, and the decoder gets only
what the pixels need: handler/essentials.py.
"""

import io
import math
import warnings

from PIL import AvifImagePlugin, Image, JpegImagePlugin

from handler.canvas_png import read_canvas
from handler.errors import ClientError
from handler.essentials import essentials

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP")
ACCEPTED = "PNG, JPEG, WebP, AVIF, GIF and BMP"
# The first bytes from the fifth on (ISO 14496-12). To read HEIC takes another 15 MB of decoders.
AVIF = (b"ftypavif", b"ftypavis")
HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")
MAXIMUM_SIDE = 4096
# What phones and cameras make, up to 48 megapixels: such a JPEG is decoded at a half, a quarter or an eighth of its
# size. Of one in several scans, as a progressive one is, libjpeg keeps up to 8 bytes a pixel.
MAXIMUM_PHOTO = 50_000_000
MAXIMUM_IN_SCANS = 25_000_000
DECODED_SIDE = 2000
# A worker has one core.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
# All images of a request together: one of the largest, 64 of 512x512.
MAXIMUM_PIXELS = MAXIMUM_SIDE * MAXIMUM_SIDE


def looks_like_image(data: bytes) -> bool:
    """Whether the bytes begin as an accepted format does, whatever a Content-Type says of them."""
    return (
        data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM"))
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or data[4:12] in AVIF
    )


def open_image(data: bytes, pixels_before: int = 0) -> Image.Image:
    """The image in the bytes, of an animation the first frame.

    `pixels_before` is what the request's images before this one have. Raises ClientError 400 for what
    is no image and 413 for a side or a sum of pixels that is too large.
    """
    if not data:
        raise ClientError(400, "EmptyImage", f"The image is empty (0 bytes). Accepted: {ACCEPTED}.")
    if data[4:12] in HEIC:
        raise ClientError(
            400,
            "NotAnImage",
            f"The image is HEIC. Accepted: {ACCEPTED}. Save it as JPEG; an iPhone takes JPEG photos with Settings > "
            "Camera > Formats > Most Compatible.",
        )
    if not looks_like_image(data):
        raise ClientError(
            400,
            "NotAnImage",
            f"{_begins(data)}; no accepted image begins with these bytes. Accepted: {ACCEPTED}.",
        )
    image = read_canvas(data) or _open(data)
    if (total := pixels_before + image.width * image.height) > MAXIMUM_PIXELS:
        raise _too_large(f"The images of the request have {total:,} pixels together")
    return image


def decoded(image: Image.Image) -> Image.Image:
    """The same image with its pixels. Raises ClientError 400 if they are truncated or broken."""
    size, kind = image.size, image.format
    try:
        with warnings.catch_warnings(action="ignore"):
            image.load()
    except Exception as error:  # decoders raise whatever broken pixels lead them to
        raise _undecodable(size, kind) from error
    if max(image.size) > MAXIMUM_SIDE:
        raise _too_large(f"The first frame has {image.size[0]}x{image.size[1]} pixels")
    return image


def _open(data: bytes) -> Image.Image:
    needed = essentials(data)
    try:
        # Pillow warns of broken notes and of 89 million pixels: the first do no harm, the second are refused below.
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(needed), formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_large("The image has more than 178 million pixels") from None
    except Exception as error:  # decoders raise whatever a broken header leads them to
        raise _unreadable(data) from error
    width, height = image.size
    _decode_small(image, needed)
    if max(image.size) > MAXIMUM_SIDE:
        raise _too_large(f"The image has {width}x{height} pixels")
    if min(width, height) < 1:
        raise _unreadable(data)
    if any(tile[0] == "bmp_rle" for tile in image.tile):
        # Pillow unfolds these pixel by pixel in Python: 8 KB of line ends keep it busy for seconds.
        raise ClientError(
            400,
            "CostlyImage",
            "The BMP image is run-length encoded. Accepted: BMP without compression, or PNG.",
        )
    return image


def _decode_small(image: Image.Image, data: bytes) -> None:
    """Let a large JPEG be decoded at a reduced size, if that takes little memory."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return
    width, height = image.size
    if width * height <= (MAXIMUM_IN_SCANS if _has_scans(image, data) else MAXIMUM_PHOTO):
        share = min(1.0, DECODED_SIDE / max(width, height))
        image.draft(None, (math.ceil(width * share), math.ceil(height * share)))


def _has_scans(image: JpegImagePlugin.JpegImageFile, data: bytes) -> bool:
    """Whether a JPEG comes in several scans: it is progressive, or its first scan lacks some of its components."""
    place = 2
    while data[place + 1 : place + 2] not in (b"\xda", b""):
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return bool(image.info.get("progressive")) or data[place + 4 : place + 5] != bytes([image.layers])


def _begins(data: bytes) -> str:
    return f"The body has {len(data):,} bytes and begins with {data[:8]!r}"


def _too_large(what: str) -> ClientError:
    return ClientError(
        413,
        "ImageTooLarge",
        f"{what}. Accepted: 1 to {MAXIMUM_SIDE} pixels per side and at most {MAXIMUM_PIXELS:,} pixels in all "
        f"images of a request together; a JPEG: {MAXIMUM_PHOTO // 10**6} megapixels, a progressive one "
        f"{MAXIMUM_IN_SCANS // 10**6}. Make the image smaller, or save it as JPEG.",
    )


def _unreadable(data: bytes) -> ClientError:
    return ClientError(
        400,
        "NotAnImage",
        f"{_begins(data)}, but its header cannot be read. Accepted: complete {ACCEPTED} files.",
    )


def _undecodable(size: tuple[int, int], kind: str | None) -> ClientError:
    return ClientError(
        400,
        "BrokenImage",
        f"The header of the {kind} image declares {size[0]}x{size[1]} pixels, but the pixel data is truncated or "
        f"broken. Accepted: complete {ACCEPTED} files.",
    )
