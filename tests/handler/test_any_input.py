"""For any input, preprocessing returns an input of the network or raises ClientError; hypothesis makes the inputs."""

import contextlib
import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from handler.bodies import read_body
from handler.errors import ClientError
from handler.forms import pick_image, read_form
from handler.images import read_image, read_images
from handler.preprocessing import candidates, preprocess
from handler.sanitize import sanitize
from tests.handler.drawings import difference_of_shape, drawing, encode

# No accepted format gives Pillow's other modes (LAB, La).
# The same examples in every run; they take a few seconds on a slow core.
bounded = settings(derandomize=True, max_examples=150, deadline=None, database=None)
few = settings(bounded, max_examples=30)

MODES = [
    "1",
    "L",
    "LA",
    "P",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16B",
    "RGBa",
]
BEGINNINGS = {
    name: encode(drawing().resize((40, 40)), name) for name in ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP")
}
BEGINNINGS["progressive"] = encode(drawing().resize((40, 40)), "JPEG", progressive=True)
SIDES = st.one_of(st.integers(1, 64), st.sampled_from([255, 257, 1000]))
TEXTS = [
    "",
    "image/png",
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "\x00",
]


@st.composite
def pictures(draw: Any) -> Image.Image:
    """A picture of any mode and size: noise, stripes, two levels, or one colour."""
    mode, width, height = draw(st.sampled_from(MODES)), draw(SIDES), draw(SIDES)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["noise", "levels", "stripes", "one colour", "a box"]))
    layer = random.integers(0, 256, (height, width, 4), dtype=np.uint8)
    if kind == "levels":
        layer = random.choice(random.integers(0, 256, 2, dtype=np.uint8), (height, width, 4))
    elif kind == "stripes":
        layer[:] = layer[:, :1]
    elif kind in {"one colour", "a box"}:
        layer[:] = layer[0, 0]
    if kind == "a box":
        layer[height // 4 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 4)
    if mode == "F":
        values = layer[..., 0].astype(np.float32) * draw(st.sampled_from([1 / 255, 1.0, 257.0, -1.0, 1e30]))
        values[0, 0] = draw(st.sampled_from([values[0, 0], np.nan, np.inf, -np.inf]))
        return Image.fromarray(values)
    if mode in {"I", "I;16", "I;16B"}:
        image = Image.fromarray(layer[..., 0].astype(np.int32) * draw(st.sampled_from([1, 257])))
        return (
            image
            if mode == "I"
            else image.convert("I;16").convert(mode)
            if mode == "I;16"
            else image.convert(mode)
        )
    if mode in {"RGBA", "RGBa", "LA"}:
        image = Image.fromarray(layer)
        return image.convert(mode)
    rgb = Image.fromarray(layer[..., :3].copy())
    return (
        rgb.convert("L")
        if mode == "L"
        else ImageOps.grayscale(rgb).convert("1")
        if mode == "1"
        else rgb.convert(mode)
    )


@bounded
@given(pictures())
def test_any_picture_gives_an_input_of_the_network(image):
    before = image.tobytes()
    pixels = preprocess(image)
    assert (pixels.shape, pixels.dtype) == ((28, 28), np.uint8)
    assert pixels.max() in (0, 255)
    assert image.tobytes() == before


@st.composite
def scenes(draw: Any) -> Image.Image:
    """Lines, boxes, discs and noise in any colours."""
    size = draw(st.integers(41, 700)), draw(st.integers(41, 700))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    image = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
    for _ in range(draw(st.integers(0, 60))):
        colour = tuple(random.integers(0, 256, 3).tolist())
        (x0, x1), (y0, y1) = (sorted(random.integers(-20, side + 20, 2).tolist()) for side in size)
        shape = draw(st.sampled_from([pen.line, pen.rectangle, pen.ellipse]))
        outline = (
            {} if shape == pen.line else {"outline": colour} if random.random() < 0.5 else {"fill": colour}
        )
        shape([x0, y0, x1, y1], **outline, width=int(random.integers(1, 30)))
    noise = draw(st.sampled_from([0, 0, 3, 40]))
    grain = random.normal(scale=noise, size=(size[1], size[0], 3)) if noise else 0
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


@bounded
@given(scenes())
def test_any_scene_has_at_most_three_candidates_inside_it(image):
    found = candidates(image)
    assert len(found) <= 3
    for candidate in found:
        assert (candidate.pixels.shape, candidate.pixels.max()) == ((28, 28), 255)
        left, top, right, bottom = candidate.ink.relative_box or (0, 0, 1, 1)
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


@few
@given(st.sampled_from([2, 4, 7]), st.integers(6, 30), st.integers(0, 40), st.integers(0, 40))
def test_inverting_padding_and_enlarging_hardly_change_the_input(digit, brush, left, top):
    image = drawing(digit, left=30 + left, top=30 + top, brush=brush)
    pixels = preprocess(image)
    assert pixels.max() == 255
    assert np.array_equal(preprocess(ImageOps.invert(image)), pixels)
    padded = ImageOps.expand(image, (left, top, 7, 13), fill=0)
    assert difference_of_shape(preprocess(padded), pixels) < 3.0
    enlarged = image.resize((280 * 3, 280 * 3), Image.Resampling.NEAREST)
    assert difference_of_shape(preprocess(enlarged), pixels) < 3.0


@bounded
@given(st.one_of(st.binary(max_size=300), st.sampled_from(sorted(BEGINNINGS))), st.data())
def test_any_bytes_are_an_image_or_refused(data, more):
    if isinstance(data, str):
        data = _damage(BEGINNINGS[data], more)
    with contextlib.suppress(ClientError):
        assert preprocess(read_image(data)).shape == (28, 28)


@bounded
@given(st.sampled_from(["PNG", "JPEG", "progressive"]), st.data())
def test_sanitizing_twice_changes_nothing_more(name, more):
    with contextlib.suppress(ClientError):
        clean = sanitize(_damage(BEGINNINGS[name], more))
        assert sanitize(clean) == clean


LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=9)
KEYS = st.sampled_from(["image", "instances", "data", "b64", ""])
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


ENCODED = st.builds(
    lambda begin, rest: (begin + rest).encode(),
    st.sampled_from(
        ["data:;base64,", "Data:", " iVBORw0KGgo", "_9j_", "/9j/", "R0lGODlh", "UklGRgAAAABXRUJQ", "Qk"]
    ),
    st.text("iVBOR09+/-_= \n\x00é", max_size=30),
)


@bounded
@given(st.binary(max_size=200) | ENCODED | DOCUMENTS, st.sampled_from(TEXTS))
def test_any_body_is_read_or_refused(body, content_type):
    data = body if isinstance(body, bytes) else _as_json(body)
    for row in ({"body": bytearray(data)}, {"data": data}, {"body": body} if isinstance(body, dict) else {}):
        with contextlib.suppress(ClientError):
            assert list(read_images(read_body(row, content_type).payloads))


@bounded
@given(
    st.lists(
        st.sampled_from(
            [
                b"--x",
                b"--",
                b"\r\n",
                b"\r\n\r\n",
                b"Content-Disposition: form-data; name=",
                b'"data"',
                b"; filename=",
                b'"',
                b"\n",
                b"\xff",
            ]
        ),
        max_size=30,
    )
)
def test_any_form_has_fields_or_is_refused(pieces):
    with contextlib.suppress(ClientError):
        fields = read_form(b"".join(pieces), "multipart/form-data; boundary=x")
        assert all(
            isinstance(name, str) and isinstance(field.content, bytes) for name, field in fields.items()
        )
        assert isinstance(pick_image(fields), bytes)


def _damage(data: bytes, more: Any) -> bytes:
    """The bytes with a piece replaced, removed or repeated."""
    start = more.draw(st.integers(0, len(data)))
    end = more.draw(st.integers(start, min(len(data), start + 40)))
    piece = more.draw(
        st.one_of(
            st.binary(max_size=12),
            st.sampled_from([b"", b"\xff\xd8", b"\xff\xda\0\2", b"\xff\x01", data[start:end] * 2]),
        )
    )
    return data[:start] + piece + data[end:]


def _as_json(value: object) -> bytes:
    return json.dumps(value).encode()
