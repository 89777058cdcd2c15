"""Metadata that would keep a decoder busy is stripped, and pixels stay."""

import contextlib
import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from handler.errors import ClientError
from handler.images import read_image
from handler.preprocessing import preprocess
from handler.sanitize import MAXIMUM_PARTS, MAXIMUM_SCANS, sanitize
from tests.handler.drawings import drawing, encode

PNG = encode(drawing())
JPEG = encode(drawing(), "JPEG")
PROGRESSIVE = encode(drawing(), "JPEG", progressive=True)
HEADER_ENDS = 33  # of a PNG: its signature and IHDR


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def png_with_chunks(*chunks: bytes) -> bytes:
    return PNG[:HEADER_ENDS] + b"".join(chunks) + PNG[HEADER_ENDS:]


def jpeg_with_scans(count: int) -> bytes:
    """The progressive JPEG with empty copies of its last scan."""
    start = PROGRESSIVE.rfind(b"\xff\xda")
    (length,) = struct.unpack(">H", PROGRESSIVE[start + 2 : start + 4])
    have = PROGRESSIVE.count(b"\xff\xda")
    return PROGRESSIVE[:-2] + PROGRESSIVE[start : start + 2 + length] * (count - have) + b"\xff\xd9"


def refusal(data: bytes) -> ClientError:
    with pytest.raises(ClientError) as caught:
        read_image(data)
    return caught.value


@pytest.mark.parametrize("data", [PNG, JPEG, PROGRESSIVE], ids=["PNG", "JPEG", "progressive JPEG"])
def test_a_file_without_metadata_is_unchanged(data):
    assert sanitize(data) == data


@pytest.mark.parametrize("picture_format", ["GIF", "WEBP", "AVIF", "BMP"])
def test_other_formats_are_unchanged(picture_format):
    data = encode(drawing(), picture_format)
    assert sanitize(data) is data


@pytest.mark.parametrize(
    "bomb",
    [chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))), chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 20))),
     chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(1 << 20))), chunk(b"eXIf", bytes(70_000))],
    ids=["zTXt", "iCCP", "iTXt", "eXIf"],
)  # fmt: skip
def test_compressed_metadata_of_a_png_is_stripped(bomb):
    assert sanitize(png_with_chunks(*[bomb] * 50)) == PNG
    assert read_image(png_with_chunks(*[bomb] * 50)).info == {}


def test_a_palette_and_its_transparency_are_kept():
    image = drawing().quantize(8)
    data = encode(image, transparency=0)
    assert np.array_equal(preprocess(read_image(data)), preprocess(Image.open(io.BytesIO(data))))
    assert "transparency" in read_image(data).info


@pytest.mark.parametrize("kind", [b"IDAT", b"abCd"])
def test_a_png_of_too_many_chunks_is_refused(kind):
    error = refusal(png_with_chunks(*[chunk(kind, b"")] * MAXIMUM_PARTS))
    assert (error.code, error.kind) == (400, "CostlyImage")
    assert f"{MAXIMUM_PARTS:,} chunks" in error.message


def test_a_jpeg_of_too_many_scans_is_refused():
    read_image(jpeg_with_scans(MAXIMUM_SCANS))
    error = refusal(jpeg_with_scans(MAXIMUM_SCANS + 1))
    assert (error.code, error.kind) == (400, "CostlyImage")
    assert "40 scans" in error.message


def test_metadata_of_a_jpeg_is_stripped():
    notes = [segment(0xE2, b"ICC_PROFILE\0" + bytes(100)), segment(0xFE, b"a remark"), segment(0xE1, b"http://xmp\0"),
             segment(0xED, b"\xff\xda" * 100)]  # fmt: skip
    assert sanitize(JPEG[:2] + b"".join(notes) + JPEG[2:]) == JPEG


def test_a_jpeg_of_too_many_segments_is_refused():
    assert "segments" in refusal(JPEG[:2] + segment(0xFE, b"") * MAXIMUM_PARTS + JPEG[2:]).message


def test_bytes_after_a_jpeg_are_stripped():
    """A phone stores a short film after the picture."""
    assert sanitize(JPEG + b"\xff\xda\0\2film" * 1000) == JPEG


@pytest.mark.parametrize(
    "hidden", [b"\xff\xdb\0\0", b"\xff\x01", b"\xff\xd8"], ids=["no length", "TEM", "start"]
)
def test_an_ambiguous_segment_hides_no_scan(hidden):
    scans = jpeg_with_scans(MAXIMUM_SCANS + 100)
    start = scans.find(b"\xff\xda")
    for data in (scans[:start] + hidden + scans[start:], scans[:2] + hidden + scans[2:]):
        clean = b""
        with contextlib.suppress(ClientError):
            clean = sanitize(data)
        assert clean.count(b"\xff\xda") <= MAXIMUM_SCANS


def test_cmyk_keeps_its_adobe_segment():
    data = encode(Image.merge("CMYK", [drawing()] * 4), "JPEG")
    assert sanitize(data) == data
    assert read_image(data).info["adobe"]


@pytest.mark.parametrize("place", [20, 31, 100, 500, len(PNG) - 14])
def test_a_flipped_bit_in_a_png_is_refused(place):
    """With one, an image of a 7 was read as 1 with a confidence of 0.998."""
    data = bytearray(PNG)
    data[place] ^= 16
    error = refusal(bytes(data))
    assert (error.code, error.kind) == (400, "BrokenImage")
    assert "checksum" in error.message


@pytest.mark.parametrize("data", [PNG, JPEG, PROGRESSIVE], ids=["PNG", "JPEG", "progressive JPEG"])
def test_a_truncated_file_is_refused(data):
    for share, junk in itertools.product((0.01, 0.1, 0.3, 0.6, 0.9), (b"", b"\xff", b"\xff\xff\xda")):
        cut = data[: max(4, int(len(data) * share))] + junk
        with pytest.raises(ClientError) as caught:
            read_image(cut)
        assert caught.value.code == 400


def test_a_png_without_its_last_bytes_is_truncated():
    """The decoder reads no further than its pixels, which are complete."""
    for cut in range(1, 21):
        error = refusal(PNG[:-cut])
        assert (error.code, error.kind) == (400, "BrokenImage")
        assert f"truncated: it ends after {len(PNG) - cut:,} bytes" in error.message


def test_a_png_that_ends_between_two_chunks_is_truncated():
    for chunks in (b"", chunk(b"tEXt", b"k\0v"), chunk(b"IEND", b"")[:-1]):
        assert "truncated" in refusal(PNG[:-12] + chunks).message


@pytest.mark.parametrize(
    "more", [b"\0", b"\n", b"more", PNG], ids=["zero", "line end", "text", "a second PNG"]
)
def test_bytes_after_a_png_are_stripped(more):
    """Many programs write bytes there."""
    assert sanitize(PNG + more) == PNG


def test_a_run_length_encoded_bmp_is_refused():
    """Pillow would take 16 million Python steps for 8 KB of line ends."""
    palette, lines = bytes(1024), b"\1\0\0\0" * 4096
    header = struct.pack("<IiiHHIIiiII", 40, 4096, 4096, 1, 8, 1, len(lines), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    data = b"BM" + struct.pack("<IHHI", start + len(lines), 0, 0, start) + header + palette + lines
    error = refusal(data)
    assert (error.code, error.kind) == (400, "CostlyImage")
    assert "without compression" in error.message
