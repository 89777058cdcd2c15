"""The PNG of a browser's canvas, read in a third of Pillow's time.

    drawn = read_canvas(data)    # "L" or "RGBX": the part with ink and a rim of its paper; None: Pillow shall read it

Chromium filters every row by "Up" (PNG specification, 9.2): what it stores of a row is its difference from the row
above. So a row and a column without a stroke are zeros, and only where there are strokes is anything summed up.
Of a canvas of 320x320 in greys Pillow reads all in 0.72 ms; this takes 0.21 ms (0.28 in colours), and on the part
find_ink takes 0.09 instead of 0.35 ms (medians of 3,600 readings of 60 drawings, one Intel Xeon core).
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zlib_ng import zlib_ng

from handler.photo import SMALL_PICTURE

BEGIN = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"
HEADER = struct.Struct(">II5sI")
RGBA = b"\x08\x06\x00\x00\x00"  # 8 bits, colour and alpha, the only compression and filtering there is, not interlaced
UP = b"\x02"
OPAQUE = 255
# Unpacked, a canvas of this side has 4 MiB.
MAXIMUM_SIDE = 1024
# Where the part lay in the whole picture and the picture's size, (left, top, width, height), in the image's `info`.
FRAME = "frame"


def read_canvas(data: bytes) -> Image.Image | None:
    """The drawn part of an opaque canvas whose ink keeps off the edge; None for anything else.

    Never raises: what is not read here, broken or not, is Pillow's to read.
    """
    unpacked = _unpacked(data)
    if unpacked is None:
        return None
    width, height, rows = unpacked
    stride = 1 + 4 * width
    paper = rows[1:5]
    if rows[::stride] != UP * height or rows[1:stride] != paper * width:
        return None
    # A row of zeros is as the one above it; the last that has others is paper again, and so the part's lower rim.
    zeros = UP + bytes(4 * width)
    begin, end = stride, len(rows)
    while rows.startswith(zeros, begin):
        begin += stride
    if begin == end:
        return None
    while rows.endswith(zeros, begin, end):
        end -= stride
    top, last = begin // stride - 1, end // stride - 1
    differences = np.frombuffer(rows, np.uint8).reshape(height, stride)[top : last + 1, 1:]
    in_column = np.bitwise_or.reduce(differences[1:], axis=0)
    columns = np.flatnonzero(in_column) // 4
    left, right = int(columns[0]) - 1, int(columns[-1]) + 2
    opaque = paper[3] == OPAQUE and not in_column[3::4].any()
    if not opaque or left < 0 or right > width or max(len(differences), right - left) <= SMALL_PICTURE:
        return None
    part = differences[:, left * 4 : right * 4].copy()
    part[0].reshape(-1, 4)[:] = tuple(paper)
    values = part.view("<u4")
    mode = "L" if _is_grey(values) else "RGBX"
    # Down the rows numpy sums the one value of a grey pixel in a fifth of the time that four take.
    pixels = np.add.accumulate(values.astype(np.uint8) if mode == "L" else part, axis=0, dtype=np.uint8)
    if (pixels[-1] != pixels[0]).any():
        return None
    drawn = Image.frombuffer(mode, (right - left, len(part)), pixels, "raw", mode, 0, 1)
    drawn.info[FRAME] = (left, top, width, height)
    return drawn


def _is_grey(values: NDArray[np.uint32]) -> bool:
    """Whether the red, green and blue of every value are the same."""
    return not (np.bitwise_or.reduce(values ^ (values >> 8), axis=0) & 0xFFFF).any()


def _unpacked(data: bytes) -> tuple[int, int, bytes] | None:
    """Width, height and the rows of the file, 1 + 4 * width bytes each: the number of its filter and what that left."""
    size = _size(data)
    packed = _packed(data) if size else None
    if size is None or packed is None:
        return None
    width, height = size
    length = height * (1 + 4 * width)
    unpacking = zlib_ng.decompressobj()
    try:
        rows = unpacking.decompress(packed, length + 1)
    except zlib_ng.error:
        return None
    return (width, height, rows) if len(rows) == length and unpacking.eof else None


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG of the kind and of a size that is read here."""
    if len(data) < len(BEGIN) + HEADER.size + len(END) or not (data.startswith(BEGIN) and data.endswith(END)):
        return None
    width, height, kind, checksum = HEADER.unpack_from(data, len(BEGIN))
    fits = 0 < width <= MAXIMUM_SIDE and 0 < height <= MAXIMUM_SIDE
    return (width, height) if fits and kind == RGBA and zlib.crc32(data[12:29]) == checksum else None


def _packed(data: bytes) -> bytes | None:
    """What the IDAT chunks hold, if there are no others between the header and the end and each is whole."""
    pieces = []
    position, end = len(BEGIN) + HEADER.size, len(data) - len(END)
    while position < end:
        length, kind = struct.unpack_from(">I4s", data, position)
        after = position + 8 + length
        if kind != b"IDAT" or after + 4 > end:
            return None
        if zlib.crc32(data[position + 4 : after]) != int.from_bytes(data[after : after + 4], "big"):
            return None
        pieces.append(data[position + 8 : after])
        position = after + 4
    return b"".join(pieces)
