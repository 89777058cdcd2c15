"""The PNG of a browser's canvas, read in half of Pillow's time.

    drawn = read_canvas(data)    # "RGBX": the part with ink and a rim of its paper; None: Pillow shall read it

Chromium filters every row by "Up" (PNG specification, 9.2): what it stores of a row is its difference from the row
above. So a row and a column without a stroke are zeros, and only where there are strokes is anything summed up.
Of a canvas of 320x320 Pillow reads all in 0.7 ms; this takes 0.33 ms (0.5 with Python's own zlib), and on the part
find_ink takes 0.2 instead of 0.7 ms (the least of 300 readings of 60 drawings, one AMD EPYC core).
"""

import struct
import zlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zlib_ng import zlib_ng

from handler.photo import SMALL_PICTURE

BEGIN = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"
HEADER = struct.Struct(">II5sI")
RGBA = b"\x08\x06\x00\x00\x00"  # 8 bits, colour and alpha, the only compression and filtering there is, not interlaced
UP = 2
OPAQUE = 255
# Unpacked, a canvas of this side has 4 MiB.
MAXIMUM_SIDE = 1024
# Where the part lay in the whole picture and the picture's size, (left, top, width, height), in the image's `info`.
FRAME = "frame"


def read_canvas(data: bytes) -> Image.Image | None:
    """The drawn part of an opaque canvas whose ink keeps off the edge; None for anything else.

    Never raises: what is not read here, broken or not, is Pillow's to read.
    """
    rows = _rows(data)
    if rows is None or (rows[:, 0] != UP).any():
        return None
    differences = rows[:, 1:]
    paper = differences[0, :4]
    if paper[3] != OPAQUE or (differences[0].reshape(-1, 4) != paper).any():
        return None
    height, width = len(rows), differences.shape[1] // 4
    changed_rows = np.flatnonzero(differences[1:].any(axis=1)) + 1
    if not len(changed_rows):
        return None
    # The last row that changes is paper again, and so the part's lower rim.
    top, bottom = int(changed_rows[0]) - 1, int(changed_rows[-1]) + 1
    changed = np.flatnonzero(differences[top + 1 : bottom].any(axis=0)) // 4
    left, right = int(changed[0]) - 1, int(changed[-1]) + 2
    if left < 0 or right > width or max(bottom - top, right - left) <= SMALL_PICTURE:
        return None
    part = differences[top:bottom, left * 4 : right * 4].copy()
    part[0].reshape(-1, 4)[:] = paper
    for above, row in pairwise(part):
        np.add(above, row, out=row)
    pixels = part.reshape(bottom - top, right - left, 4)
    if (pixels[-1] != paper).any() or (pixels[..., 3] != OPAQUE).any():
        return None
    drawn = Image.frombuffer("RGBX", (right - left, bottom - top), part, "raw", "RGBX", 0, 1)
    drawn.info[FRAME] = (left, top, width, height)
    return drawn


def _rows(data: bytes) -> NDArray[np.uint8] | None:
    """The rows of the file, uint8 (height, 1 + 4 * width): each the number of its filter and what that left."""
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
    return (
        np.frombuffer(rows, np.uint8).reshape(height, -1) if len(rows) == length and unpacking.eof else None
    )


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
