"""Malformed bodies in valid HTTP: deterministic, each with a unique name.

for case in malformed_bodies():
    case.name, case.request, case.statuses      # the bytes on the wire, and the accepted statuses
"""

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tests.system.cases import MODEL_PATHS, Case, case, post

KNOWN_DIGITS = Path(__file__).parent.parent.parent / "training" / "known_digits"
SEVEN = (KNOWN_DIGITS / "7.png").read_bytes()
MEBIBYTE = 1024 * 1024
JSON = "application/json"


def malformed_bodies() -> list[Case]:
    """Images, bombs, documents, forms and media types."""
    return [
        *_bodies_without_an_image(),
        *_damaged_images(),
        *_bombs(),
        *_documents(),
        *_forms(),
        *_media_types(),
    ]


def encode(picture_format: str, image: Image.Image | None = None, **options) -> bytes:
    file = io.BytesIO()
    picture = image or Image.open(io.BytesIO(SEVEN)).convert("L")
    picture.save(file, picture_format, **options)
    return file.getvalue()


def png(
    width: int,
    height: int,
    *chunks: tuple[bytes, bytes],
    depth: int = 8,
    colours: int = 0,
    interlace: int = 0,
) -> bytes:
    """A PNG with a header of this size and these chunks after it; without an IDAT chunk it has almost no pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlace)
    pixels = [] if any(kind == b"IDAT" for kind, _ in chunks) else [(b"IDAT", zlib.compress(bytes(100)))]
    file = b"\x89PNG\r\n\x1a\n"
    for kind, content in [(b"IHDR", header), *chunks, *pixels, (b"IEND", b"")]:
        file += (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )
    return file


def instances(*pictures: bytes) -> bytes:
    return json.dumps({"instances": [{"image": base64.b64encode(p).decode()} for p in pictures]}).encode()


def _bodies_without_an_image() -> Iterator[Case]:
    bodies = {
        "empty": b"",
        "one byte": b"a",
        "a zero": b"\0",
        "text": b"hello, world",
        "only signature of PNG": SEVEN[:8],
        "zeros": bytes(1000),
        "0xff": b"\xff" * 1000,
        "base64 of a cut PNG": base64.b64encode(SEVEN)[:400],
        "BM": b"BM",
        "GIF87a": b"GIF87a",
        "RIFF": b"RIFF\x10\0\0\0WEBP",
        "JPEG's first bytes": b"\xff\xd8\xff",
        "SVG": b"<svg/>",
        "XML with entities": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "PDF": b"%PDF-1.7\n",
        "gzip of a PNG": zlib.compress(SEVEN),
        "pickle": b"\x80\x04N.",
        "zip": b"PK\3\4" + bytes(50),
        "a template": b"{{7*7}}",
        "a URL": b"http://127.0.0.1:8003/models",
        "a path": b"/etc/passwd",
        "form encoded": b"data=" + base64.b64encode(SEVEN),
    }
    for path in MODEL_PATHS:
        for name, body in bodies.items():
            if path == "/predict" or len(name) < 9:
                yield case(f"{name} to {path}", post(body, path=path), 400)
    for picture_format in ("TIFF", "ICO", "PPM", "TGA"):
        body = encode(picture_format, Image.new("RGB", (32, 32)))
        yield case(f"{picture_format} image", post(body, "image/png"), 400)
    yield case("5 MiB and a byte", post(bytes(5 * MEBIBYTE + 1)), 413)
    length_alone = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    yield case("a length of 100 GB", length_alone, 413)


def _damaged_images() -> Iterator[Case]:
    for picture_format in ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP"):
        whole = encode(picture_format)
        for share in (0.05, 0.3, 0.6, 0.9):
            body = whole[: int(len(whole) * share)]
            yield case(
                f"{picture_format} cut at {share:.0%}", post(body, f"image/{picture_format.lower()}"), 400
            )
        body = whole[:4] + bytes(60) + whole[64:]
        yield case(f"{picture_format} with a header of zeros", post(body), 400)
    random_numbers = random.Random(0)
    for index in range(20):
        body = bytearray(SEVEN)
        # Behind the header, in data with a checksum: always detected.
        place = random_numbers.randrange(60, len(body) - 20)
        body[place] ^= 1 << random_numbers.randrange(8)
        yield case(f"PNG with a flipped bit, {index}", post(bytes(body)), 400)
    for name, body in {
        "no pixels": png(28, 28, (b"IDAT", b"")),
        "0x0": png(0, 0),
        "0x5": png(0, 5),
        "negative size": png(2**32 - 1, 1),
        "depth 3": png(28, 28, depth=3),
        "colour type 5": png(28, 28, colours=5),
        "palette missing": png(28, 28, colours=3),
        "pixels of another stream": png(28, 28, (b"IDAT", b"hello")),
        "too few pixels": png(28, 28),
        "its last byte missing": SEVEN[:-1],
        "its end missing": SEVEN[:-12],
    }.items():
        yield case(f"PNG: {name}", post(body), 400, *([413] if name == "negative size" else []))


def _bombs() -> Iterator[Case]:
    side = struct.pack("<H", 65535)
    bitmap = struct.pack("<iiHHIIiiII", 65535, 65535, 1, 24, 0, 0, 0, 0, 0, 0)
    jpeg = encode("JPEG")
    size = jpeg.find(b"\xff\xc0") + 5
    webp = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2
    progressive = encode("JPEG", progressive=True)
    last_scan = progressive[progressive.rfind(b"\xff\xda") : -2]
    line_ends = bytes(8192)
    runs = (
        struct.pack("<iiHHIIiiII", 4096, 4096, 1, 8, 1, len(line_ends), 0, 0, 256, 0)
        + bytes(1024)
        + line_ends
    )
    wide_frame = bytearray(encode("GIF"))
    frame = wide_frame.find(b"\x2c", 13 + 3 * 2 ** ((wide_frame[10] & 7) + 1))
    wide_frame[frame + 5 : frame + 9] = struct.pack("<HH", 65535, 65535)
    for name, body, status in (
        ("PNG of 65535x65535", png(65535, 65535), 413),
        ("PNG of 4097x1", png(4097, 1), 413),
        ("PNG of 1x4097", png(1, 4097), 413),
        (
            "GIF of 65535x65535",
            b"GIF89a" + side * 2 + b"\0\0\0\x2c\0\0\0\0" + side * 2 + b"\0\2\1\0\0\x3b",
            413,
        ),
        ("GIF with a frame wider than its canvas", bytes(wide_frame), 413),
        ("BMP of 65535x65535", b"BM" + struct.pack("<IHHII", 1000, 0, 0, 54, 40) + bitmap + bytes(900), 413),
        ("JPEG of 65535x65535", jpeg[:size] + b"\xff\xff\xff\xff" + jpeg[size + 4 :], 413),
        ("PNG of 10,000 chunks", png(28, 28, *[(b"abCd", b"")] * 10_000), 400),
        ("JPEG of 1,000 scans", progressive[:-2] + last_scan * 1000 + b"\xff\xd9", 400),
        ("JPEG of 10,000 remarks", jpeg[:2] + b"\xff\xfe\0\2" * 10_000 + jpeg[2:], 400),
        ("BMP of line ends", b"BM" + struct.pack("<IHHII", 9270, 0, 0, 1078, 40) + runs, 400),
    ):
        yield case(name, post(body), status)
    body = b"RIFF" + struct.pack("<I", len(webp)) + webp
    yield case("WebP of 16383x16383", post(body), 400, 413)
    large = encode("PNG", Image.new("1", (4096, 4096)))
    yield case("64 images of 4096x4096", post(instances(*[large] * 64), JSON), 413)
    yield case("2 images of 4096x4096", post(instances(large, large), JSON), 413)
    yield case("65 images", post(instances(*[SEVEN] * 65), JSON), 413)


def _documents() -> Iterator[Case]:
    seven = base64.b64encode(SEVEN)
    bodies: dict[str, bytes] = {
        "nothing": b"",
        "a brace": b"{",
        "an array": b"[]",
        "a text": b'"a"',
        "a number": b"7",
        "null": b"null",
        "true": b"true",
        "an empty object": b"{}",
        "another key": b'{"images": "%s"}' % seven,
        "both keys": b'{"image": "%s", "instances": []}' % seven,
        "cut": b'{"image": "%s' % seven,
        "a comma too many": b'{"image": "%s",}' % seven,
        "single quotes": b"{'image': 'a'}",
        "trailing text": b'{"image": "%s"} x' % seven,
        "two documents": b'{"image": "%s"}' % seven * 2,
        "a comment": b'{"image": "%s" /* seven */}' % seven,
        "NaN": b'{"image": NaN}',
        "Infinity": b'{"image": Infinity}',
        "-Infinity": b'{"image": [-Infinity]}',
        "a huge exponent": b'{"image": 1e999999}',
        "a long number": b'{"image": %s}' % (b"9" * 99_999),
        "a key twice": b'{"image": "%s", "image": "%s"}' % (seven, seven),
        "a deep list": b'{"image": ' + b"[" * 50_000,
        "a deep object": b'{"a":' * 50_000,
        "5 MiB of brackets": b"[" * (5 * MEBIBYTE - 1),
        "5 MiB of objects": b'{"a":' * (MEBIBYTE - 1),
        "a million values": b"[" + b"0," * 1_000_000 + b"0]",
        "99,000 keys, one twice": b"{" + b",".join(b'"%d":1' % key for key in range(99_000)) + b',"98999":1}',
        "a zero byte": b'{"image": "\0"}',
        "not UTF-8": b'{"image": "\xff"}',
        "half a surrogate": b'{"image": "\\ud800"}',
        "image null": b'{"image": null}',
        "image false": b'{"image": false}',
        "image a number": b'{"image": 7}',
        "image a list": b'{"image": ["%s"]}' % seven,
        "image an object of two keys": b'{"image": {"b64": "%s", "data": "%s"}}' % (seven, seven),
        "image empty": b'{"image": ""}',
        "image stars": b'{"image": "****"}',
        "base64 of text": b'{"image": "aGVsbG8="}',
        "base64 without its end": b'{"image": "%s"}' % seven[:-3],
        "base64 of both alphabets": b'{"image": "%s"}' % seven.replace(b"+", b"-"),
        "base64 with a dot": b'{"image": "ab.d"}',
        "base64 of an umlaut": '{"image": "ä"}'.encode(),
        "base64 of a cut PNG": b'{"image": "%s"}' % seven[:400],
        "5 MiB of spaces": b'{"image": "' + b" " * (5 * MEBIBYTE - 20) + b'"}',
        "5 MiB of A": b'{"image": "' + b"A" * (5 * MEBIBYTE - 20) + b'"}',
        "a data URI without base64": b'{"image": "data:image/png,abc"}',
        "a data URI alone": b'{"image": "data:"}',
        "a data URI of nothing": b'{"image": "data:image/png;base64,"}',
        "a URL": b'{"image": "http://localhost:8003/models"}',
        "a file": b'{"image": "file:///etc/passwd"}',
        "instances null": b'{"instances": null}',
        "instances empty": b'{"instances": []}',
        "instances an object": b'{"instances": {}}',
        "instances a text": b'{"instances": "%s"}' % seven,
        "instances of a text": b'{"instances": ["%s"]}' % seven,
        "instances of null": b'{"instances": [null]}',
        "instances of lists": b'{"instances": [[[0, 1]]]}',
        "instances of an unknown key": b'{"instances": [{"picture": "%s"}]}' % seven,
        "instances of two keys": b'{"instances": [{"b64": "%s", "image": "%s"}]}' % (seven, seven),
        "instances within": b'{"instances": [{"instances": []}]}',
        "the 3rd instance bad": instances(SEVEN, SEVEN, b"hello", SEVEN),
        "the last instance cut": instances(SEVEN, SEVEN[:200]),
        "the last instance empty": instances(SEVEN, b""),
        "a prototype": b'{"__proto__": {"image": "a"}}',
        "an operator": b'{"$ne": 1}',
    }
    status = {"a million values": 413, "5 MiB of brackets": 413, "5 MiB of objects": 413}
    for name, body in bodies.items():
        yield case(f"JSON: {name}", post(body, JSON), status.get(name, 400))
    for charset in ("utf-8-sig", "utf-16", "utf-32"):
        body = '{"image": "ä"}'.encode(charset)
        yield case(f"JSON in {charset}", post(body, f"{JSON}; charset={charset}"), 400)


def _forms() -> Iterator[Case]:
    kind = "multipart/form-data; boundary=x"
    data = b'--x\r\nContent-Disposition: form-data; name="data"; filename="7.png"\r\n\r\n' + SEVEN + b"\r\n"
    other = data.replace(b'"data"', b'"file"')
    third = data.replace(b'"data"', b'"image"')
    text = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n7\r\n'
    bodies: dict[str, bytes] = {
        "empty": b"",
        "only its end": b"--x--\r\n",
        "cut in its header": data[:30],
        "cut in its image": data[:300],
        "without its end": data,
        "cut at its end": data + b"--x",
        "two files": other + third + b"--x--\r\n",
        "no file": text + b"--x--\r\n",
        "the field twice": data + data + b"--x--\r\n",
        "no name": data.replace(b'; name="data"', b"") + b"--x--\r\n",
        "an empty name": text.replace(b'"text"', b'""') + b"--x--\r\n",
        "a file input left empty": other.replace(b"7.png", b"").replace(SEVEN, b"") + b"--x--\r\n",
        "no header": b"--x\r\n\r\n" + SEVEN + b"\r\n--x--\r\n",
        "a name of control characters": text.replace(b'"text"', b'"\1\2\xff"') + b"--x--\r\n",
        "another boundary": data.replace(b"--x", b"--y"),
        "no content": b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n\r\n--x--\r\n',
        "text for an image": data.replace(SEVEN, b"7") + b"--x--\r\n",
        "a cut image": data.replace(SEVEN, SEVEN[:300]) + b"--x--\r\n",
        "bare line feeds": data.replace(b"\r\n", b"\n") + b"--x--\n",
        "10,000 parts": other * 10_000
        if len(other) < 500
        else other.replace(SEVEN, b"7") * 10_000 + b"--x--\r\n",
        "a thousand boundaries": b"--x\r\n" * 1000 + b"--x--\r\n",
        "JSON called a form": b'{"image": "a"}',
        "text called a form": b"hello",
        "an unclosed quote": text.replace(b'"text"', b'"data') + b"--x--\r\n",
        "a long header": text.replace(b'"text"', b'"' + b"7" * 100_000 + b'"') + b"--x--\r\n",
        "a form in a form": data.replace(
            b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"
        ).replace(SEVEN, b"--y\r\n\r\n--y--")
        + b"--x--\r\n",
    }
    for name, body in bodies.items():
        yield case(f"form: {name}", post(body, kind), 400)
    for declared in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        "multipart/mixed",
        "multipart/form-data; boundary=" + "b" * 300,
        "multipart/form-data; charset=utf-8",
        "multipart/",
    ):
        yield case(f"form declared as {declared[:50]}", post(data + b"--x--\r\n", declared), 400)


def _media_types() -> Iterator[Case]:
    for declared in (
        "text/plain",
        "text/html; charset=utf-8",
        "application/pdf",
        "video/mp4",
        "application/xml",
        "nonsense",
        "/",
        "a/" + "b" * 3000,
        "application/x-tar",
        "application/grpc",
        "text/json",
        "jpeg",
        "*/*",
        "'; DROP TABLE predictions; --",
    ):
        yield case(f"text as {declared[:40]}", post(b"hello", declared), 415)
    for declared in (
        "",
        " ",
        "image/png",
        "image/svg+xml",
        "image/",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/json",
        "application/ld+json",
        "\xff\xfe",
    ):
        yield case(f"text as {declared!a}", post(b"hello", declared), 400)
