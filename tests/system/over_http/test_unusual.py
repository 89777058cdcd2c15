"""Unusual but valid requests are answered, and bad requests do not change the answers to good ones."""

import base64
import http.client
import io
import json
import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from PIL import Image

from tests.system.malformed_bodies import KNOWN_DIGITS, SEVEN, encode, instances, png
from tests.system.running import RunningSystem

GREY = Image.open(io.BytesIO(SEVEN)).convert("L")
TWO = Image.open(KNOWN_DIGITS / "2.png").convert("L")
PNG_TEXT = base64.b64encode(SEVEN).decode()
# First row, first column, step down and step right of each pass of an interlaced PNG.
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
# Sums in another order, for another batch size, differ by less; the answer to another drawing by 0.01 and more.
FLOAT_NOISE = 1e-3


def _make_interlaced_png() -> bytes:
    """An Adam7 PNG with 1 bit a pixel. Pillow cannot write interlaced PNG."""
    pixels = np.asarray(GREY.resize((64, 64))) > 127
    rows = b""
    for top, left, down, right in ADAM7:
        for row in pixels[top::down, left::right]:
            rows += b"\0" + np.packbits(row).tobytes()
    return png(64, 64, (b"IDAT", zlib.compress(rows)), depth=1, interlace=1)


def _pictures() -> dict[str, bytes]:
    rotated = Image.Exif()
    rotated[0x0112] = 6
    animation = {"save_all": True, "append_images": [TWO], "duration": 100}
    sixteen = Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257)
    transparent = GREY.convert("RGBA")
    transparent.putalpha(GREY)
    palette = GREY.quantize(4)
    return {
        "animated GIF": encode("GIF", **animation),
        "animated WebP": encode("WEBP", **animation),
        "APNG": encode("PNG", **animation),
        "CMYK JPEG": encode("JPEG", Image.merge("CMYK", [GREY] * 3 + [Image.new("L", GREY.size)])),
        "progressive JPEG": encode("JPEG", progressive=True),
        "rotated JPEG": encode("JPEG", GREY.transpose(Image.Transpose.ROTATE_90), exif=rotated),
        "rotated PNG": encode("PNG", GREY.transpose(Image.Transpose.ROTATE_90), exif=rotated),
        "16 bits": encode("PNG", sixteen),
        "1 bit": encode("PNG", GREY.convert("1")),
        "grey and alpha": encode("PNG", GREY.convert("LA")),
        "strokes without paper": encode("PNG", transparent),
        "palette": encode("PNG", palette),
        "palette and transparency": encode("PNG", palette, transparency=palette.getpixel((0, 0))),
        "palette GIF": encode("GIF", palette),
        "1-bit BMP": encode("BMP", GREY.convert("1")),
        "colour BMP": encode("BMP", GREY.convert("RGB")),
        "lossless WebP": encode("WEBP", lossless=True),
        "4096x4096": encode("PNG", GREY.resize((4096, 4096)).convert("1")),
        "long metadata": encode("PNG", exif=b"Exif\0\0" + bytes(1000)),
    }


@pytest.mark.parametrize("name", _pictures())
def test_an_unusual_picture_is_read(system: RunningSystem, name):
    response = system.predict(_pictures()[name])
    assert response.status_code == 200, response.text
    assert response.json()["digit"] == 7


def test_an_interlaced_png_is_read(system: RunningSystem):
    assert system.predict(_make_interlaced_png()).json()["digit"] == 7


@pytest.mark.parametrize(
    "text",
    [
        "data:image/png;base64," + PNG_TEXT,
        "DATA:;BASE64," + PNG_TEXT,
        " \n".join(PNG_TEXT[start : start + 60] for start in range(0, len(PNG_TEXT), 60)),
        PNG_TEXT.replace("+", "-").replace("/", "_").rstrip("="),
    ],
    ids=["data URI", "capital data URI", "white space", "URL-safe"],
)
def test_unusual_base64_is_read(system: RunningSystem, text):
    assert system.predict(json.dumps({"image": text}).encode()).json()["digit"] == 7


@pytest.mark.parametrize(
    "declared",
    [
        "",
        "text/plain",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "a" * 3000,
        "*/*",
    ],
)
def test_image_bytes_are_read_with_an_unusual_content_type(system: RunningSystem, declared):
    assert system.predict(SEVEN, **{"Content-Type": declared}).json()["digit"] == 7


@pytest.mark.parametrize(
    "declared", [None, "text/plain", "application/x-www-form-urlencoded", "application/ld+json"]
)
def test_json_is_read_with_an_unusual_content_type(system: RunningSystem, declared):
    body = b'{"image": "%s", "comment": "a seven"}' % PNG_TEXT.encode()
    assert system.predict(body, **{"Content-Type": declared} if declared else {}).json()["digit"] == 7


def test_a_form_with_other_fields_is_read(system: RunningSystem):
    files = {"before": b"a", "data": ("a name \N{SNOWMAN}.png", SEVEN, "text/plain"), "": b"b"}
    response = requests.post(f"{system.address}/predict", files=files, timeout=30)
    assert response.json()["digit"] == 7


def _exchange(system: RunningSystem, *pieces: bytes, after_100: bytes = b"") -> dict:
    with system.connect(30) as connection:
        for piece in pieces:
            connection.sendall(piece)
        if after_100:
            assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
            connection.sendall(after_100)
        with http.client.HTTPResponse(connection) as response:
            response.begin()
            return json.loads(response.read())


HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


def test_a_chunked_body_is_read(system: RunningSystem):
    chunks = [
        b"%x;name=value\r\n%s\r\n" % (len(SEVEN[i : i + 99]), SEVEN[i : i + 99])
        for i in range(0, len(SEVEN), 99)
    ]
    answer = _exchange(
        system, HEAD + b"Transfer-Encoding: CHUNKED\r\n\r\n", *chunks, b"0\r\nTrailer: a\r\n\r\n"
    )
    assert answer["digit"] == 7


def test_a_client_that_expects_100_receives_it(system: RunningSystem):
    head = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(SEVEN)
    assert _exchange(system, head, after_100=SEVEN)["digit"] == 7


def test_a_body_that_arrives_byte_by_byte_is_read(system: RunningSystem):
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(SEVEN)
    assert _exchange(system, head, *(SEVEN[i : i + 1] for i in range(len(SEVEN))))["digit"] == 7


def test_pipelined_requests_are_answered_in_their_order(system: RunningSystem):
    first = HEAD.replace(b"Connection: close\r\n", b"") + b"Content-Length: %d\r\n\r\n" % len(SEVEN) + SEVEN
    assert _exchange(system, first + HEAD + b"Content-Length: 1\r\n\r\na")["digit"] == 7


def test_bad_requests_do_not_change_the_answers_to_good_ones(system: RunningSystem):
    """The model's input is the same, byte by byte. The numbers differ by rounding only."""
    good = [(KNOWN_DIGITS / f"{digit}.png").read_bytes() for digit in range(10)]
    good += [instances(*good[:4]), encode("JPEG")]
    alone = [system.predict(body).json() for body in good]
    bad = [
        b"",
        b"hello",
        SEVEN[:300],
        b'{"image": "aGVsbG8="}',
        instances(SEVEN, b""),
        png(65535, 65535),
        b"[" * 9999,
    ]
    sent = [(body, None) for body in bad * 12] + [
        (body, answer) for body, answer in zip(good, alone, strict=True)
    ] * 12
    random.Random(0).shuffle(sent)
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda pair: system.predict(pair[0]), sent))
    for (_, expected), response in zip(sent, responses, strict=True):
        assert response.status_code == 200 if expected else response.status_code in (400, 413)
        if expected:
            for one, other in zip(_answers(response.json()), _answers(expected), strict=True):
                for field in ("digit", "is_digit", "model_version", "input"):
                    assert one[field] == other[field]
                for field in ("confidence", "probabilities", "digit_score"):
                    assert one[field] == pytest.approx(other[field], abs=FLOAT_NOISE)


def _answers(document: dict) -> list[dict]:
    return document.get("predictions", [document])
