"""Every body that docs/api.md names, and a plain sentence for every other."""

import base64
import json

import pytest
from PIL import Image, ImageDraw

from benchmarks import drawings as canvas_png
from handler.bodies import read_submission
from handler.errors import ClientError
from tests.handler.drawings import drawing, encoded

PNG = encoded(drawing())
TEXT = base64.b64encode(PNG).decode()
JSON = "application/json"


def sizes(row: dict, content_type: str = "") -> list[tuple[int, int]]:
    return [image.size for image in read_submission(row, content_type).images]


def canvas_as_sent(sheet: Image.Image, box: tuple[int, int, int, int]) -> bytes:
    ImageDraw.Draw(sheet).ellipse(box, outline=0, width=20)
    return canvas_png.encoded(sheet.convert("RGBA"))


def refusal(row: dict, content_type: str = "") -> ClientError:
    with pytest.raises(ClientError) as caught:
        read_submission(row, content_type)
    return caught.value


def document(content: object) -> dict:
    return {"body": bytearray(json.dumps(content).encode())}


@pytest.mark.parametrize(
    "content_type",
    ["", "image/png", "image/gif", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain",
     JSON, "application/pdf", "nonsense"],
)  # fmt: skip
def test_image_bytes_are_read_whatever_the_content_type_says(content_type):
    submission = read_submission({"body": bytearray(PNG)}, content_type)
    assert [image.size for image in submission.images] == [(280, 280)]
    assert submission.many is False


def test_a_multipart_field_is_read():
    row = {"data": bytearray(PNG), "comment": bytearray(b"a seven")}
    assert sizes(row, "multipart/form-data; boundary=x") == [(280, 280)]


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "application/vnd.api+json", "",
                                          "application/x-www-form-urlencoded", "text/plain"])  # fmt: skip
@pytest.mark.parametrize(
    "text",
    [TEXT, f"data:image/png;base64,{TEXT}", f"data:;base64,{TEXT}", f"DATA:image/png;charset=x;BASE64,{TEXT}",
     "\n".join(TEXT[index : index + 76] for index in range(0, len(TEXT), 76))],
    ids=["base64", "data URI", "short data URI", "capital data URI", "wrapped lines"],
)  # fmt: skip
def test_json_with_an_image_is_read(text, content_type):
    submission = read_submission(document({"image": text}), content_type)
    assert [image.size for image in submission.images] == [(280, 280)]
    assert submission.many is False


def test_json_that_was_parsed_already_is_read():
    assert sizes({"body": {"image": TEXT}}, JSON) == [(280, 280)]


@pytest.mark.parametrize("count", [1, 2, 64])
def test_instances_are_read_in_their_order(count):
    pictures = [encoded(drawing(size=100 + index)) for index in range(count)]
    instances = [{"image": base64.b64encode(picture).decode(), "id": 7} for picture in pictures]
    submission = read_submission(document({"instances": instances}), JSON)
    assert [image.size[0] for image in submission.images] == list(range(100, 100 + count))
    assert submission.many is True


@pytest.mark.parametrize("row", [{}, {"body": bytearray()}, {"body": b""}, {"body": None}])
def test_an_empty_body_is_refused(row):
    error = refusal(row, "image/png")
    assert (error.code, error.kind) == (400, "EmptyBody")
    assert "multipart form" in error.message


def test_an_empty_or_truncated_form_is_refused():
    error = refusal({}, "multipart/form-data; boundary=x")
    assert (error.code, error.kind) == (400, "BrokenForm")
    assert "'data'" in error.message


FORM = "multipart/form-data; boundary=x"


def form(*parts: bytes, end: bytes = b"--x--\r\n") -> dict:
    """A form as the gateway hands it on: mere bytes."""
    return {"body": bytearray(b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + end)}


def field(name: str, content: bytes = PNG) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"; filename="7.png"\r\n\r\n'.encode() + content


@pytest.mark.parametrize("content_type", [FORM, 'multipart/form-data; charset=utf-8; BOUNDARY="x"; a=b'])
def test_a_form_is_read_from_its_bytes(content_type):
    assert sizes(form(field("comment", b"a seven"), field("data")), content_type) == [(280, 280)]
    assert sizes(form(b"content-disposition: form-data; name=data\r\n\r\n" + PNG), content_type) == [
        (280, 280)
    ]


def test_image_bytes_that_are_called_a_form_are_read():
    assert sizes({"body": bytearray(PNG)}, FORM) == [(280, 280)]


@pytest.mark.parametrize(
    ("row", "content_type", "says"),
    [
        (form(field("data")), "multipart/form-data", "has no boundary"),
        (form(field("data")), "multipart/form-data; boundary=y", "'--y' is not in the body"),
        (form(field("data"), end=b""), FORM, "truncated"),
        (form(field("data"), field("data")), FORM, "'data' is repeated"),
        (form(*[field(f"field {index}") for index in range(1001)]), FORM, "more than 1000 fields"),
        (form(PNG), FORM, "no header 'Content-Disposition"),
        (form(b"Content-Disposition: form-data\r\n\r\n" + PNG), FORM, "no header 'Content-Disposition"),
        (form(b'Content-Disposition: form-data; name="data"'), FORM, "no header 'Content-Disposition"),
    ],
    ids=["no boundary", "other boundary", "cut", "twice", "many", "no header", "no name", "no content"],
)
def test_a_broken_form_is_told_what_is_broken(row, content_type, says):
    error = refusal(row, content_type)
    assert (error.code, error.kind) == (400, "BrokenForm")
    assert says in error.message
    assert "'data'" in error.message


@pytest.mark.parametrize("name", ["", "file", "\x01\N{SNOWMAN}"])
def test_a_form_s_field_of_any_other_name_is_told_the_right_one(name):
    error = refusal(form(field(name)), FORM)
    assert (error.code, error.kind) == (400, "MissingField")
    assert ascii(name) in error.message


@pytest.mark.timeout(100)
def test_a_repeated_key_is_found_among_many():
    """It takes 0.1 s. A search that counts every key before each took 293 s."""
    keys = b",".join(b'"%d":1' % number for number in range(99_000))
    error = refusal({"body": b"{" + keys + b',"98999":1}'}, JSON)
    assert "'98999' is repeated" in error.message


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0"])
def test_json_of_a_million_values_is_refused_unread(value, monkeypatch):
    monkeypatch.setattr("handler.bodies.json.loads", lambda *_, **__: pytest.fail("it was read"))
    error = refusal({"body": b'{"image": [' + b",".join([value] * 1_000_000) + b"]}"}, JSON)
    assert (error.code, error.kind) == (413, "TooManyValues")
    assert "100,000" in error.message


def test_a_form_with_another_field_is_told_the_right_one():
    error = refusal({"file": bytearray(PNG)}, "multipart/form-data; boundary=x")
    assert (error.code, error.kind) == (400, "MissingField")
    assert "'file'" in error.message
    assert "'data'" in error.message


@pytest.mark.parametrize("value", [bytearray(b""), bytearray(b"7"), "7"])
def test_a_form_field_that_is_no_image_is_refused(value):
    assert refusal({"data": value}, "multipart/form-data").code == 400


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/html; charset=utf-8", "application/pdf", "video/mp4"]
)
def test_a_media_type_that_is_not_accepted_and_holds_no_image(content_type):
    error = refusal({"body": b"hello"}, content_type)
    assert (error.code, error.kind) == (415, "UnsupportedMediaType")
    assert content_type.split(";")[0] in error.message
    assert "image bytes" in error.message


@pytest.mark.parametrize(
    "content_type",
    ["", "image/png", "image/svg+xml", "application/octet-stream", "application/x-www-form-urlencoded"],
)
def test_something_else_in_a_media_type_that_is_accepted(content_type):
    error = refusal({"body": b"hello"}, content_type)
    assert (error.code, error.kind) == (400, "NotAnImage")
    assert "hello" in error.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"image": ', "line 1, column"),
        (b"hello", "line 1, column 1"),
        (b'{"image": NaN}', "NaN is not a JSON value"),
        (b'{"image": -Infinity}', "-Infinity is not"),
        (b'{"image": "a", "image": "b"}', "'image' is repeated"),
        (b'{"image": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b'{"image": ' + b"9" * 5000 + b"}", "a number is too long"),
        (b'{"image": "\xff\xfe"}', "not UTF-8"),
    ],
    ids=["cut off", "text", "NaN", "infinity", "same key twice", "deep", "long number", "not UTF-8"],
)
def test_json_that_is_not_json(body, says):
    error = refusal({"body": body}, JSON)
    assert (error.code, error.kind) == (400, "InvalidJson")
    assert says in error.message
    assert len(error.message) < 600


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "an array"),
        ("text", "a string"),
        (7, "a number"),
        (None, "null"),
        ({}, "its keys: none"),
        ({"images": TEXT}, "'images'"),
        ({"image": TEXT, "instances": []}, "one of the keys"),
        ({"instances": {"image": TEXT}}, "'instances' is an object"),
        ({"instances": []}, "'instances' is empty"),
        ({"instances": [TEXT]}, "'instances[0]' is a string"),
        ({"instances": [{"image": TEXT}, {"picture": TEXT}]}, "'instances[1]' is an object without 'image'"),
        ({"image": 7}, "image: The value is a number"),
        ({"image": None}, "image: The value is null"),
        ({"image": {"b64": TEXT}}, "image: The value is an object"),
        ({"image": True}, "image: The value is a boolean"),
    ],
)
def test_json_of_another_shape(content, says):
    error = refusal(document(content), JSON)
    assert (error.code, error.kind) == (400, "InvalidRequest")
    assert says in error.message
    assert TEXT not in error.message


@pytest.mark.parametrize(
    "text",
    [
        "***",
        "aGVsbG8",
        TEXT[:-1] + "é",
        TEXT[:-2],
        "\ud800",
        "data:image/png,abc",
        "data:image/png;base64",
        "http://x/7.png",
    ],
)
def test_text_that_is_not_base64(text):
    error = refusal(document({"image": text}), JSON)
    assert (error.code, error.kind) == (400, "InvalidBase64")
    assert error.message.startswith("image: ")
    assert "base64" in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("text", ["", "data:image/png;base64,", base64.b64encode(b"hello").decode()])
def test_base64_of_no_image(text):
    error = refusal(document({"image": text}), JSON)
    assert error.code == 400
    assert error.kind in {"EmptyImage", "NotAnImage"}


def test_the_one_bad_instance_is_named():
    bad = base64.b64encode(b"hello").decode()
    error = refusal(document({"instances": [{"image": TEXT}] * 5 + [{"image": bad}]}), JSON)
    assert error.message.startswith("instances[5].image: ")


def test_more_than_64_instances_are_refused():
    error = refusal(document({"instances": [{"image": TEXT}] * 65}), JSON)
    assert (error.code, error.kind) == (413, "TooManyInstances")
    assert "65" in error.message
    assert "64" in error.message


def test_the_pixels_of_all_instances_count_together():
    large = base64.b64encode(encoded(drawing().resize((2400, 2400)))).decode()
    assert sizes(document({"instances": [{"image": large}] * 2}), JSON) == [(2400, 2400)] * 2
    error = refusal(document({"instances": [{"image": large}] * 3}), JSON)
    assert error.code == 413
    assert error.message.startswith("instances[2].image: ")


def test_of_a_canvas_every_pixel_counts_and_not_only_the_part_that_was_drawn_on():
    canvas = canvas_as_sent(Image.new("L", (1024, 1024), 255), (400, 400, 600, 600))
    rest = 4096 * 4096 - 1024 * 1024
    fits, too_many = (
        document(
            {
                "instances": [
                    {"image": base64.b64encode(data).decode()}
                    for data in (canvas, encoded(Image.new("1", size)))
                ]
            }
        )
        for size in ((4096, rest // 4096), (4096, rest // 4096 + 1))
    )
    assert len(read_submission(fits, JSON).images) == 2
    assert refusal(too_many, JSON).code == 413
