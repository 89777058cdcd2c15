"""Decode the PNG of a browser's canvas in a third of Pillow's time.

    drawing = read_canvas(data)    # uint8 (h, w); None for a file that only Pillow can read

Chromium filters each row by "Up" (PNG specification, 9.2): it stores the difference from the row above. So rows and
columns without a stroke are zeros, and only the strokes need sums.
"""

import struct

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

BEGIN = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
RGBA = b"\x08\x06\x00\x00\x00"  # 8 bits, colour and alpha, the only compression and filtering there is, not interlaced
IDAT_OFFSET = 33
UP = 2
# Decompressed, a canvas of this side has 4 MiB.
MAXIMUM_SIDE = 1024
OPAQUE = 0xFF000000
RED_GREEN_BLUE = 0x010101


def read_canvas(data: bytes) -> NDArray[np.uint8] | None:
    """The greys of a sanitized PNG of an opaque canvas with a first row of one colour; None for any other bytes."""
    rows = _decompress(data)
    if rows is None or (rows[:, 0] != UP).any():
        return None
    pixels = rows[:, 1:].view("<u4")
    paper, below = pixels[0, 0], pixels[1:]
    grey = paper & 0xFF
    if paper != OPAQUE + grey * RED_GREEN_BLUE or (pixels[0] != paper).any():
        return None
    sheet = np.full(pixels.shape, grey, np.uint8)
    # The pixels are unaligned, because a row has an odd length. Their bytes take two fifths of the time.
    columns = np.flatnonzero(np.bitwise_or.reduce(rows[1:, 1:], axis=0).view("<u4"))
    if columns.size:
        across = slice(columns[0], columns[-1] + 1)
        part = below[:, across].copy()  # aligned
        lines = np.flatnonzero(np.bitwise_or.reduce(part, axis=1))
        part = part[lines[0] : lines[-1] + 1]
        steps = part.astype(np.uint8)
        if (part != np.multiply(steps, RED_GREEN_BLUE, dtype=np.uint32)).any():
            return None
        drawn = sheet[1 + lines[0] :, across]
        drawn[: len(part)] += _prefix_sums(steps)
        drawn[len(part) :] = drawn[len(part) - 1]
    return sheet


def _prefix_sums(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The sum of each row and all above it, modulo 256, in place: in a quarter of the time of numpy's accumulate."""
    spare, step = rows.copy(), 1
    while step < len(rows):
        spare[:step] = rows[:step]
        np.add(rows[step:], rows[:-step], out=spare[step:])
        rows, spare, step = spare, rows, 2 * step
    return rows


def _decompress(data: bytes) -> NDArray[np.uint8] | None:
    """The rows, uint8 (height, 1 + 4 * width): the number of the row's filter, and the filtered pixels."""
    if not data.startswith(BEGIN) or data[24:29] != RGBA:
        return None
    width, height = struct.unpack_from(">II", data, len(BEGIN))
    if not (0 < width <= MAXIMUM_SIDE and 0 < height <= MAXIMUM_SIDE):
        return None
    compressed, offset = [], IDAT_OFFSET
    while data[offset + 4 : offset + 8] == b"IDAT":
        end = offset + 12 + int.from_bytes(data[offset : offset + 4], "big")
        compressed.append(data[offset + 8 : end - 4])
        offset = end
    if data[offset + 4 : offset + 8] != b"IEND":
        return None  # palette, transparency or orientation
    size, decompressor = height * (1 + 4 * width), zlib_ng.decompressobj()
    try:
        rows = decompressor.decompress(b"".join(compressed), size + 1)
    except zlib_ng.error:
        return None
    whole = len(rows) == size and decompressor.eof
    return np.frombuffer(rows, np.uint8).reshape(height, 1 + 4 * width) if whole else None
