"""`read_canvas` gives exactly the pixels that Pillow gives."""

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fixtures.canvas_png import canvases
from fixtures.canvas_png import encode_png as encode
from handler.canvas_png import read_canvas
from handler.errors import ClientError
from handler.images import read_image
from handler.preprocessing import preprocess
from handler.sanitize import sanitize
from tests.handler.drawings import draw_on_paper, draw_without_paper, drawing
from tests.handler.drawings import encode as encode_with_pillow


def _decode_with_pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def _sheet(mask: Image.Image, ink, paper) -> Image.Image:
    return draw_on_paper(mask, (*ink, 255), (*paper, 255), "RGBA")


def test_drawings_of_the_page_are_read_as_pillow_reads_them():
    for data in canvases():
        drawn = read_canvas(data)
        assert drawn is not None
        assert np.array_equal(drawn, np.asarray(_decode_with_pillow(data).convert("L")))
        picture = read_image(data)
        assert isinstance(picture, np.ndarray)  # without Pillow
        assert np.array_equal(picture, drawn)


@pytest.mark.parametrize(
    "sheet",
    [
        Image.new("RGBA", (320, 320), (255, 255, 255, 255)),
        _sheet(drawing(left=-20), (0, 0, 0), (255, 255, 255)),
        _sheet(drawing(top=120, height=200), (246, 246, 246), (22, 22, 22)),
        # Its lower rows equal the row above them.
        _sheet(Image.new("L", (20, 200), 255).crop((-100, -120, 180, 160)), (0, 0, 0), (255, 255, 255)),
        _sheet(drawing().resize((40, 40)), (0, 0, 0), (255, 255, 255)),
    ],
    ids=["blank", "over the left edge", "over the lower edge", "a bar over the lower edge", "small"],
)
def test_a_grey_canvas_is_read_wherever_its_ink_is(sheet):
    data = encode(sheet)
    drawn = read_canvas(data)
    assert drawn is not None
    assert np.array_equal(drawn, np.asarray(sheet.convert("L")))


@pytest.mark.parametrize("seed", range(60))
def test_any_colours_places_and_sizes_give_the_same_input(seed):
    rng = random.Random(seed)
    colours = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(3)]
    if seed % 2:
        colours = [(level, level, level) for level, _, _ in colours]
    mask = drawing(
        rng.choice([2, 4, 7]),
        left=rng.randrange(-40, 200),
        top=rng.randrange(-40, 200),
        width=rng.randrange(4, 200),
        height=rng.randrange(4, 200),
        brush=rng.randrange(3, 34),
    ).resize((rng.choice([28, 40, 41, 280, 320]),) * 2)
    sheet = _sheet(mask, *colours[:2])
    if seed % 4 < 2:
        ImageDraw.Draw(sheet).line([(0, 0), (60, 90)], fill=(*colours[2], 255), width=5)
    data = encode(sheet)
    assert np.array_equal(preprocess(read_image(data)), preprocess(_decode_with_pillow(data)))


def test_equally_bright_colours_are_distinguished():
    data = encode(_sheet(drawing(), (255, 0, 0), (0, 130, 0)))
    seen = preprocess(read_image(data))
    assert seen.any()
    assert np.array_equal(seen, preprocess(_decode_with_pillow(data)))


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGBA", (320, 320)),
        draw_without_paper(drawing(), (20, 20, 20)),
        _sheet(drawing(), (20, 20, 21), (255, 255, 255)),
        _sheet(drawing(), (20, 20, 20), (255, 254, 255)),
        _sheet(drawing(top=-20), (0, 0, 0), (255, 255, 255)),
        Image.new("RGBA", (1100, 50), (255, 255, 255, 255)),
    ],
    ids=["nothing", "on nothing", "coloured ink", "coloured paper", "over the upper edge", "wide"],
)
def test_other_images_are_left_to_pillow(image):
    data = encode(image)
    assert read_canvas(data) is None
    assert np.array_equal(preprocess(read_image(data)), preprocess(_decode_with_pillow(data)))


def test_a_png_with_other_filters_or_chunks_is_left_to_pillow():
    sheet = _sheet(drawing(), (0, 0, 0), (255, 255, 255))
    assert read_canvas(encode_with_pillow(sheet)) is None
    assert read_canvas(encode_with_pillow(sheet.convert("L"))) is None
    whole = encode(sheet)
    for kind in (b"tRNS", b"eXIf", b"IHDR"):
        assert read_canvas(whole[:33] + _chunk(kind, b"A\x00bc") + whole[33:]) is None
    # `sanitize` strips this one.
    assert read_canvas(sanitize(whole[:33] + _chunk(b"tEXt", b"A\x00bc") + whole[33:])) is not None


def test_a_canvas_is_refused_wherever_it_is_truncated_or_damaged():
    data = encode(
        _sheet(drawing(size=64, left=15, top=10, width=30, height=40, brush=6), (0, 0, 0), (255,) * 3)
    )
    assert read_canvas(data) is not None
    for length in range(0, len(data), 3):
        with pytest.raises(ClientError):
            read_image(data[:length])
    for place in range(len(data)):
        with pytest.raises(ClientError):
            read_image(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
def test_an_image_without_pixels_is_left_to_pillow(size):
    header = struct.pack(">4sIIBBBBB", b"IHDR", *size, 8, 6, 0, 0, 0)
    packed = zlib.compress(bytes([2]) * size[1])
    idat = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
    begin = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + header + struct.pack(">I", zlib.crc32(header))
    end = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"
    assert read_canvas(begin + idat + end) is None
    assert read_canvas(begin[:16] + end) is None


@pytest.mark.parametrize("wrong", [-1, 1, 2_000_000], ids=["short", "long", "a bomb"])
def test_rows_that_do_not_fit_the_header_are_left_to_pillow(wrong):
    data = encode(_sheet(drawing(), (0, 0, 0), (255, 255, 255)))
    size = 280 * (1 + 4 * 280)
    rows = zlib.decompress(b"".join(_chunks(data, b"IDAT")))
    packed = zlib.compress((rows + bytes(max(0, wrong)))[: size + wrong])
    idat = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
    assert read_canvas(data[:33] + idat + data[-12:]) is None


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _chunks(data: bytes, wanted: bytes) -> list[bytes]:
    found, position = [], 8
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == wanted:
            found.append(data[position + 8 : position + 8 + length])
        position += 12 + length
    return found
