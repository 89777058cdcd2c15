"""Images are decoded, or refused with a message that says why."""

import contextlib
import io
import random
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from handler.errors import ClientError
from handler.images import looks_like_image, read_image
from handler.preprocessing import preprocess
from tests.handler.drawings import difference, drawing, encode

FORMATS = ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP"]


def refusal(data: bytes, pixels_before: int = 0) -> ClientError:
    with pytest.raises(ClientError) as caught:
        read_image(data, pixels_before)
    return caught.value


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header declares this size, with hardly any pixels."""
    chunks = b""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        chunks += struct.pack(">I", len(content)) + kind + content + checksum
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("picture_format", FORMATS)
def test_every_format_is_read(picture_format):
    data = encode(drawing(), picture_format)
    assert looks_like_image(data)
    image = read_image(data)
    assert image.size == (280, 280)
    assert preprocess(image).any()


def test_other_formats_are_refused():
    for picture_format in ("TIFF", "PPM", "ICO", "TGA"):
        error = refusal(encode(drawing().convert("RGB"), picture_format))
        assert (error.code, error.kind) == (400, "NotAnImage")
        assert "PNG, JPEG, WebP, AVIF, GIF and BMP" in error.message


@pytest.mark.parametrize("picture_format", ["GIF", "WEBP"])
def test_the_first_frame_of_an_animation_is_read(picture_format):
    first, second = drawing(7), drawing(2)
    data = encode(first, picture_format, save_all=True, append_images=[second], duration=100, lossless=True)
    assert np.array_equal(preprocess(read_image(data)), preprocess(first))


def test_the_first_frame_of_an_avif_animation_is_read():
    data = encode(drawing(7), "AVIF", save_all=True, append_images=[drawing(2)], duration=100)
    assert difference(preprocess(read_image(data)), preprocess(drawing(7))) < 2


@pytest.mark.parametrize("picture_format", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_image_is_refused(picture_format, share):
    data = encode(drawing(), picture_format)
    error = refusal(data[: int(len(data) * share)])
    assert error.code == 400
    assert error.kind in {"NotAnImage", "BrokenImage"}
    assert "Accepted: complete" in error.message


@pytest.mark.parametrize(
    ("picture_format", "spare"), [("PNG", 0), ("JPEG", 0), ("WEBP", 0), ("AVIF", 0), ("GIF", 2), ("BMP", 3)]
)
def test_an_image_without_its_last_bytes_is_refused_unless_its_pixels_are_complete(picture_format, spare):
    """No pixel needs the end marks of a GIF and the padding of a BMP's last row, here 3 bytes."""
    random = np.random.default_rng(0)
    data = encode(Image.fromarray(random.integers(0, 256, (97, 61), dtype=np.uint8)), picture_format)
    whole = read_image(data).tobytes()
    for cut in range(1, 21):
        if cut <= spare:
            assert read_image(data[:-cut]).tobytes() == whole
        else:
            assert refusal(data[:-cut]).code == 400


@pytest.mark.parametrize("picture_format", FORMATS)
def test_a_damaged_image_is_read_or_refused(picture_format):
    random_numbers = random.Random(0)
    good = encode(drawing(brush=12).resize((70, 70)), picture_format)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(random_numbers.choice([1, 3, 20])):
            data[random_numbers.randrange(len(data))] = random_numbers.randrange(256)
        with contextlib.suppress(ClientError):
            assert preprocess(read_image(bytes(data))).shape == (28, 28)


def test_no_bytes_and_other_bytes_are_refused():
    assert refusal(b"").kind == "EmptyImage"
    error = refusal(b"hello, is it me?")
    assert (error.code, error.kind) == (400, "NotAnImage")
    assert "16 bytes" in error.message
    assert "b'hello, i'" in error.message


@pytest.mark.parametrize("size", [(4097, 1), (1, 4097), (4097, 4097), (10_000, 10_000), (60_000, 60_000)])
def test_too_many_pixels_a_side_are_refused_from_the_header(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = refusal(png_of_size(*size))
    assert error.code == 413
    assert error.kind == "ImageTooLarge"
    assert "4096" in error.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000  # kB: no pixel was decoded


@pytest.mark.parametrize("size", [(4096, 4096), (1, 4096), (1, 1)])
def test_the_largest_and_the_smallest_are_read(size):
    image = read_image(encode(Image.new("1", size)))
    assert image.size == size


def test_the_pixels_of_a_request_are_counted_together():
    data = encode(Image.new("1", (4096, 4000)))
    assert read_image(data, 4096 * 96).size == (4096, 4000)
    error = refusal(data, 4096 * 96 + 1)
    assert error.code == 413
    assert "16,777,217 pixels together" in error.message
    assert "16,777,216" in error.message


def test_a_webp_header_takes_little_memory():
    """The decoder would allocate 16383x16383 pixels after the header."""
    header = b"VP8X" + struct.pack("<I", 10) + bytes([0, 0, 0, 0]) + (16382).to_bytes(3, "little") * 2
    body = b"WEBP" + header + b"VP8L" + struct.pack("<I", 10) + b"\x2f" + bytes(9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(b"RIFF" + struct.pack("<I", len(body)) + body).code in {400, 413}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


def test_a_phone_s_jpeg_with_a_second_image_inside_is_read():
    data = io.BytesIO()
    drawing().convert("RGB").save(data, "MPO", save_all=True, append_images=[drawing(2).convert("RGB")])
    assert preprocess(read_image(data.getvalue())).any()


@pytest.mark.parametrize("size", [(4032, 3024), (4160, 3120), (5712, 3213), (8064, 6048)])
def test_photos_of_phones_are_decoded_at_a_reduced_size(size):
    page = Image.new("L", size, 230)
    page.paste(30, (size[0] // 2, size[1] // 3, size[0] // 2 + size[1] // 40, size[1] // 3 + size[1] // 4))
    image = read_image(encode(page, "JPEG"))
    assert 2000 <= max(image.size) < 4100
    assert image.size[0] / image.size[1] == pytest.approx(size[0] / size[1], rel=0.01)
    assert preprocess(image).any()


def test_a_progressive_jpeg_of_a_24_megapixel_camera_is_decoded_at_a_reduced_size():
    image = read_image(encode(Image.new("L", (6000, 4000)), "JPEG", progressive=True))
    assert image.size == (3000, 2000)


def test_a_large_jpeg_in_several_scans_is_refused_from_the_header():
    """libjpeg would keep all its coefficients in memory."""
    whole = encode(Image.new("RGB", (8000, 6000)), "JPEG")
    scan = whole.index(b"\xff\xda")
    first_component = b"\xff\xda\x00\x08\x01" + whole[scan + 5 : scan + 7] + b"\x00\x3f\x00"
    in_scans = whole[:scan] + first_component + whole[scan + 14 :]
    for data in (encode(Image.new("L", (8000, 6000)), "JPEG", progressive=True), in_scans):
        error = refusal(data)
        assert (error.code, error.kind) == (413, "ImageTooLarge")
        assert "50 megapixels, a progressive one 25" in error.message


def test_more_than_50_megapixels_are_refused():
    assert refusal(encode(Image.new("L", (9000, 6000)), "JPEG")).code == 413


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_the_message_about_heic_says_what_to_do(brand):
    error = refusal(b"\x00\x00\x00\x1cftyp" + brand + bytes(40))
    assert (error.code, error.kind) == (400, "NotAnImage")
    assert "The image is HEIC." in error.message
    assert "Most Compatible" in error.message
