"""What the page sends: canvases of 320x320, dark ink on white, encoded as Chromium encodes them.

bodies = canvases()    # 60 PNG files, each another drawing: ten digits, three brushes, two places
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training import known_digits

SIDE = 320
INK, PAPER = (0x18, 0x18, 0x18), (0xFF, 0xFF, 0xFF)
BRUSHES = (11, 18, 26)  # of 280 pixels: the page's 12, 20 and 30 of 320
# Scaled by this about the middle of the sheet, then moved by so many of its 100.
PLACES = ((1.0, (0, 0)), (0.7, (9, -7)))
UP = 2  # the PNG filter: each byte is told as its difference from the one above


def canvases() -> list[bytes]:
    """The PNG files, in an order that changes the digit from one to the next."""
    return [
        encoded(canvas(digit, brush, scale, shift))
        for scale, shift in PLACES
        for brush in BRUSHES
        for digit in range(10)
    ]


def canvas(digit: int, brush: float, scale: float, shift: tuple[float, float]) -> Image.Image:
    """One drawing as the canvas holds it: RGBA, opaque."""
    strokes = [(stroke - 50) * scale + 50 + np.array(shift) for stroke in known_digits.curves(digit)]
    return sheet(known_digits.draw_curves(strokes, brush))


def sheet(ink: Image.Image) -> Image.Image:
    """A square drawing, "L" with ink 255, as the canvas holds it: RGBA, opaque, dark on white."""
    mask = ink.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    sheet = Image.new("RGBA", mask.size, (*PAPER, 255))
    sheet.paste((*INK, 255), mask=mask)
    return sheet


def encoded(image: Image.Image) -> bytes:
    """An RGBA image as the PNG that Chromium's canvas gives: every row filtered by "Up", chunks of 4 KiB.

    Seen in ten drawings sent by the page; Pillow chooses a filter for each row, which takes twice as long to read.
    """
    pixels: NDArray[np.uint8] = np.asarray(image).reshape(image.height, -1)
    differences = np.diff(pixels, axis=0, prepend=np.zeros_like(pixels[:1]))
    rows = np.pad(differences, ((0, 0), (1, 0)), constant_values=UP)
    packed = zlib.compress(rows.tobytes(), 3)
    header = struct.pack(">IIBBBBB", *image.size, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    chunks += [(b"IDAT", packed[start : start + 4096]) for start in range(0, len(packed), 4096)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in [*chunks, (b"IEND", b"")])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
