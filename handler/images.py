"""Decode images from untrusted clients.

    for image in read_images(payloads): ...    # one after the other, each decoded, or ClientError
    image = read_image(data)

The size in the header is checked before any pixel is decoded, so a small file cannot fill the memory. The decoder gets
the file without its metadata (handler/sanitize.py).
"""

import io
import math
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from PIL import AvifImagePlugin, Image, JpegImagePlugin

from handler.canvas_png import read_canvas
from handler.errors import ClientError
from handler.greys import Picture
from handler.sanitize import sanitize

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP")
ACCEPTED = "PNG, JPEG, WebP, AVIF, GIF and BMP"
# Bytes 4 to 12 (ISO 14496-12). HEIC is refused, because its decoder would add 15 MB.
AVIF = (b"ftypavif", b"ftypavis")
HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")
MAXIMUM_SIDE = 4096
# Of all images of a request together: one of 4096x4096, or 64 of 512x512.
MAXIMUM_PIXELS = MAXIMUM_SIDE * MAXIMUM_SIDE
# A JPEG from a phone or a camera has up to 48 megapixels. libjpeg decodes it at a half, a quarter or an eighth of its
# size. For a JPEG of several scans, such as a progressive one, libjpeg keeps up to 8 bytes per pixel in memory.
MAXIMUM_JPEG_PIXELS = 50_000_000
MAXIMUM_MULTI_SCAN_PIXELS = 25_000_000
REDUCED_SIDE = 2000  # least length of the longer side after the reduction
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a worker has one core


class Payload(NamedTuple):
    """The bytes of an image file and its place in the JSON, such as instances[3].image; "" in any other body."""

    place: str
    data: bytes


def looks_like_image(data: bytes) -> bool:
    """Whether the bytes begin with the signature of an accepted format."""
    return (
        data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM"))
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or data[4:12] in AVIF
    )


def read_images(payloads: Iterable[Payload]) -> Iterator[Picture]:
    """The images of one request, each decoded when the caller asks for it. Raises ClientError as read_image does."""
    pixels = 0
    for place, data in payloads:
        try:
            picture = read_image(data, pixels)
        except ClientError as error:
            raise (error.within(place) if place else error) from error.__cause__
        pixels += _count_pixels(picture)
        yield picture


def read_image(data: bytes, pixels_before: int = 0) -> Picture:
    """Decode an image file: the first frame of an animation, the greys of a browser's canvas.

    `pixels_before` counts the pixels of the images before this one in the request. Raises ClientError 400 if the bytes
    are no complete image and 413 if a side or the sum of pixels is too large.
    """
    if not data:
        raise ClientError(400, "EmptyImage", "The image is empty (0 bytes)", ACCEPTED)
    if data[4:12] in HEIC:
        iphone = "an iPhone takes JPEG photos with Settings > Camera > Formats > Most Compatible"
        accepted = f"{ACCEPTED}. Save it as JPEG; {iphone}"
        raise ClientError(400, "NotAnImage", "The image is HEIC", accepted)
    begins = f"The body has {len(data):,} bytes and begins with {data[:8]!r}"
    if not looks_like_image(data):
        problem = f"{begins}; no accepted image begins with these bytes"
        raise ClientError(400, "NotAnImage", problem, ACCEPTED)
    clean = sanitize(data)
    canvas = read_canvas(clean)
    picture = _open(clean, begins) if canvas is None else canvas
    if (total := pixels_before + _count_pixels(picture)) > MAXIMUM_PIXELS:
        raise _too_large(f"The images of the request have {total:,} pixels together")
    return _decode(picture) if isinstance(picture, Image.Image) else picture


def _count_pixels(picture: Picture) -> int:
    return math.prod(picture.size if isinstance(picture, Image.Image) else picture.shape)


def _open(data: bytes, begins: str) -> Image.Image:
    """The image with its size checked and its pixels not decoded."""
    accepted = f"complete {ACCEPTED} files"
    unreadable = ClientError(400, "NotAnImage", f"{begins}, but its header cannot be read", accepted)
    try:
        # Pillow warns of broken metadata, which is harmless, and of 89 million pixels, which are refused below.
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_large("The image has more than 178 million pixels") from None
    except Exception as error:  # decoders raise any exception for a broken header
        raise unreadable from error
    width, height = image.size
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        _reduce_large_jpeg(image, data)
    if max(image.size) > MAXIMUM_SIDE:
        raise _too_large(f"The image has {width}x{height} pixels")
    if min(width, height) < 1:
        raise unreadable
    if any(tile[0] == "bmp_rle" for tile in image.tile):
        # Pillow decodes these pixel by pixel in Python: 8 KB of line ends keep it busy for seconds.
        accepted = "BMP without compression, or PNG"
        raise ClientError(400, "CostlyImage", "The BMP image is run-length encoded", accepted)
    return image


def _decode(image: Image.Image) -> Image.Image:
    (width, height), kind = image.size, image.format
    try:
        with warnings.catch_warnings(action="ignore"):
            image.load()
    except Exception as error:  # decoders raise any exception for broken pixels
        declared = f"The header of the {kind} image declares {width}x{height} pixels"
        problem = f"{declared}, but the pixel data is truncated or broken"
        raise ClientError(400, "BrokenImage", problem, f"complete {ACCEPTED} files") from error
    if max(image.size) > MAXIMUM_SIDE:
        raise _too_large(f"The first frame has {image.width}x{image.height} pixels")
    return image


def _reduce_large_jpeg(image: JpegImagePlugin.JpegImageFile, data: bytes) -> None:
    """Let the decoder reduce the size of a large JPEG, if that takes little memory."""
    offset = 2
    while data[offset + 1 : offset + 2] not in (b"\xda", b""):
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    components_of_first_scan = data[offset + 4 : offset + 5]
    multi_scan = bool(image.info.get("progressive")) or components_of_first_scan != bytes([image.layers])
    if image.width * image.height <= (MAXIMUM_MULTI_SCAN_PIXELS if multi_scan else MAXIMUM_JPEG_PIXELS):
        share = min(1.0, REDUCED_SIDE / max(image.size))
        image.draft(None, (math.ceil(image.width * share), math.ceil(image.height * share)))


def _too_large(problem: str) -> ClientError:
    return ClientError(
        413,
        "ImageTooLarge",
        problem,
        f"1 to {MAXIMUM_SIDE} pixels per side and at most {MAXIMUM_PIXELS:,} pixels in all images of a request "
        f"together; a JPEG: {MAXIMUM_JPEG_PIXELS // 10**6} megapixels, "
        f"a progressive one {MAXIMUM_MULTI_SCAN_PIXELS // 10**6}. Make the image smaller, or save it as JPEG",
    )
