"""All kinds of body in docs/api.md are read. Others are refused with a message that says why."""

import base64
import json

import pytest
from PIL import Image, ImageDraw

from fixtures import canvas_png
from handler.bodies import IMAGE_KEYS, read_body
from handler.errors import ClientError
from handler.images import read_images
from tests.handler.drawings import drawing, encode

PNG = encode(drawing())
TEXT = base64.b64encode(PNG).decode()
JSON = "application/json"


def sizes(row: dict, content_type: str = "") -> list[tuple[int, int]]:
    return [image.size for image in read_images(read_body(row, content_type).payloads)]


def canvas_as_sent(sheet: Image.Image, box: tuple[int, int, int, int]) -> bytes:
    ImageDraw.Draw(sheet).ellipse(box, outline=0, width=20)
    return canvas_png.encode_png(sheet.convert("RGBA"))


def refusal(row: dict, content_type: str = "") -> ClientError:
    with pytest.raises(ClientError) as caught:
        sizes(row, content_type)
    return caught.value


def document(content: object) -> dict:
    return {"body": bytearray(json.dumps(content).encode())}


@pytest.mark.parametrize(
    "content_type",
    ["", "image/png", "image/gif", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain",
     JSON, "application/pdf", "nonsense"],
)  # fmt: skip
def test_image_bytes_are_read_with_any_content_type(content_type):
    assert sizes({"body": bytearray(PNG)}, content_type) == [(280, 280)]
    assert read_body({"body": bytearray(PNG)}, content_type).many is False


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
    assert sizes(document({"image": text}), content_type) == [(280, 280)]
    assert read_body(document({"image": text}), content_type).many is False


def test_json_may_begin_with_a_byte_order_mark():
    assert sizes({"body": json.dumps({"image": TEXT}).encode("utf-8-sig")}, JSON) == [(280, 280)]


def test_a_parsed_json_document_is_read():
    assert sizes({"body": {"image": TEXT}}, JSON) == [(280, 280)]


OTHER_SERVERS = {
    # https://www.tensorflow.org/tfx/serving/api_rest, "Encoding binary values"
    "TensorFlow Serving, one input": {"signature_name": "serving_default", "instances": [{"b64": TEXT}]},
    "TensorFlow Serving, named input": {"instances": [{"image_bytes": {"b64": TEXT}}]},
    "TensorFlow Serving, other name": {"instances": [{"image": {"b64": TEXT}, "caption": "seaside"}]},
    # pytorch/serve, kubernetes/kserve/kf_request_json/v1 and kubernetes/image_transformer
    "KServe with TorchServe": {"instances": [{"data": TEXT, "target": 0}]},
    "KServe, image transformer": {"instances": [{"image_bytes": {"b64": TEXT}}]},
    # ts/torch_handler/vision_handler.py: row.get("data") or row.get("body")
    "TorchServe, data": {"data": TEXT},
    "TorchServe, body": {"body": TEXT},
    "TorchServe, instances": {"instances": [{"body": TEXT}]},
    "one of TensorFlow's values alone": {"b64": TEXT},
    "an image as TensorFlow encodes it": {"image": {"b64": f"data:image/png;base64,{TEXT}"}},
}


@pytest.mark.parametrize("name", OTHER_SERVERS)
def test_json_for_other_servers_is_read(name):
    assert sizes(document(OTHER_SERVERS[name]), JSON) == [(280, 280)]
    assert read_body(document(OTHER_SERVERS[name]), JSON).many == ("instances" in OTHER_SERVERS[name])


def test_instances_may_have_different_keys():
    instances = [{key: TEXT} for key in IMAGE_KEYS]
    assert sizes(document({"instances": instances}), JSON) == [(280, 280)] * len(IMAGE_KEYS)


@pytest.mark.parametrize("content_type", ["", "text/plain", "text/plain; charset=utf-8", "image/png",
                                          "application/octet-stream", "application/x-www-form-urlencoded"])  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [TEXT, f"data:image/png;base64,{TEXT}", f"\n {TEXT}\r\n",
     "\n".join(TEXT[index : index + 76] for index in range(0, len(TEXT), 76))],
    ids=["base64", "data URI", "between white space", "wrapped lines"],
)  # fmt: skip
def test_base64_or_a_data_uri_as_the_body_is_read(body, content_type):
    assert sizes({"body": bytearray(body.encode())}, content_type) == [(280, 280)]
    assert read_body({"body": bytearray(body.encode())}, content_type).many is False


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP"])
def test_base64_of_every_format_is_read_as_the_body(picture_format):
    body = base64.b64encode(encode(drawing(), picture_format))
    assert sizes({"body": body}, "text/plain") == [(280, 280)]


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("padded", [True, False])
def test_url_safe_base64_is_read_with_or_without_padding(cut, padded):
    # Bytes after the end of a PNG are ignored. The three lengths need two, one and no padding characters.
    picture = PNG + b"\xfb\xff\xfe\xfb\xff"[cut:]
    text = base64.urlsafe_b64encode(picture).decode()
    text = text if padded else text.rstrip("=")
    assert "-" in text
    assert "_" in text
    assert sizes(document({"image": text}), JSON) == [(280, 280)]
    assert sizes({"body": text.encode()}, "text/plain") == [(280, 280)]


def test_base64_of_both_alphabets_is_refused():
    text = base64.b64encode(PNG + b"\xfb\xff\xfe\xfb\xff\xfe").decode()
    assert "+" in text
    assert "/" in text
    error = refusal(document({"image": text.replace("+", "-")}), JSON)
    assert (error.code, error.kind) == (400, "InvalidBase64")
    assert "mixes the two alphabets" in error.message


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (TEXT[:-100].encode(), "BrokenImage"),
        (TEXT[:-1].encode() + b"*", "InvalidBase64"),
        (b"data:image/png,abc", "InvalidBase64"),
        (b"data:image/png;base64,", "EmptyImage"),
        (b"data:text/plain;base64,aGVsbG8=", "NotAnImage"),
    ],
)
def test_text_that_only_begins_as_an_image_is_refused(body, kind):
    error = refusal({"body": body}, "text/plain")
    assert (error.code, error.kind) == (400, kind)


def test_image_bytes_are_recognized_before_base64(monkeypatch):
    monkeypatch.setattr("handler.bodies.begins_as_image", lambda *_: pytest.fail("base64 was decoded"))
    assert sizes({"body": bytearray(PNG)}) == [(280, 280)]


@pytest.mark.parametrize("count", [1, 2, 64])
def test_instances_are_read_in_their_order(count):
    pictures = [encode(drawing(size=100 + index)) for index in range(count)]
    instances = [{"image": base64.b64encode(picture).decode(), "id": 7} for picture in pictures]
    row = document({"instances": instances})
    assert sizes(row, JSON) == [(100 + index, 100 + index) for index in range(count)]
    assert read_body(row, JSON).many is True


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
    """A form as the gateway passes it on: as bytes."""
    return {"body": bytearray(b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + end)}


def text_field(name: str, content: bytes = b"7") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + content


def field(name: str, content: bytes = PNG) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"; filename="7.png"\r\n\r\n'.encode() + content


@pytest.mark.parametrize("content_type", [FORM, 'multipart/form-data; charset=utf-8; BOUNDARY="x"; a=b'])
def test_a_form_is_read_from_its_bytes(content_type):
    assert sizes(form(field("comment", b"a seven"), field("data")), content_type) == [(280, 280)]
    assert sizes(form(b"content-disposition: form-data; name=data\r\n\r\n" + PNG), content_type) == [
        (280, 280)
    ]


def test_image_bytes_declared_as_a_form_are_read():
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
def test_the_message_about_a_broken_form_says_what_is_broken(row, content_type, says):
    error = refusal(row, content_type)
    assert (error.code, error.kind) == (400, "BrokenForm")
    assert says in error.message
    assert "'data'" in error.message


@pytest.mark.parametrize("name", ["", "file", "image", "DATA", "\x01\N{SNOWMAN}"])
def test_the_only_file_of_a_form_is_read_from_a_field_of_any_name(name):
    assert sizes(form(text_field("comment", b"a seven"), field(name)), FORM) == [(280, 280)]


@pytest.mark.parametrize(
    "header",
    [b"filename*=UTF-8''7.png", b'filename=""', b"FileName=7.png", b'filename="; name=x"', b"a=b"],
    ids=["extended", "empty", "capitals", "with a semicolon", "none"],
)
def test_a_file_is_recognized_by_its_file_name_or_its_content(header):
    part = b'Content-Disposition: form-data; name="picture"; ' + header + b"\r\n\r\n" + PNG
    assert sizes(form(text_field("comment", b"a seven"), part), FORM) == [(280, 280)]


def test_an_empty_file_input_is_no_file():
    empty = b'Content-Disposition: form-data; name="second"; filename=""\r\n\r\n'
    assert sizes(form(empty, field("first")), FORM) == [(280, 280)]
    assert "no file (fields: 'second')" in refusal(form(empty), FORM).message


def test_a_text_field_that_begins_as_a_bitmap_is_no_second_file():
    assert sizes(form(text_field("comment", b"BMW"), field("file")), FORM) == [(280, 280)]


def test_of_several_files_the_field_data_is_read():
    assert sizes(form(field("file", b"x"), field("data"), field("other", b"y")), FORM) == [(280, 280)]
    error = refusal(form(field("file"), field("image"), text_field("comment")), FORM)
    assert (error.code, error.kind) == (400, "MissingField")
    assert "2 files ('file', 'image')" in error.message
    assert "one file, or the image in the field 'data'" in error.message


@pytest.mark.parametrize("text", [b"hello", b"", b"BMW"])
def test_the_only_file_is_read_beside_a_text_field_data(text):
    for parts in ([text_field("data", text), field("image")], [field("image"), text_field("data", text)]):
        assert sizes(form(*parts), FORM) == [(280, 280)]


def test_without_a_file_the_field_data_is_read():
    assert sizes(form(text_field("data", PNG), text_field("image", PNG)), FORM) == [(280, 280)]
    empty = b'Content-Disposition: form-data; name="second"; filename=""\r\n\r\n'
    assert sizes(form(text_field("data", PNG), empty), FORM) == [(280, 280)]
    assert refusal(form(text_field("data", b"hello"), text_field("comment")), FORM).kind == "NotAnImage"


def test_the_message_names_five_of_many_files():
    message = refusal(form(*[field(f"field {index}") for index in range(900)]), FORM).message
    assert "900 files ('field 0', 'field 1', 'field 2', 'field 3', 'field 4', ...)" in message
    assert len(message) < 300


def test_the_message_about_a_form_without_a_file_names_its_fields():
    error = refusal(form(text_field("comment", b"a seven"), text_field("\x01")), FORM)
    assert (error.code, error.kind) == (400, "MissingField")
    assert "no file (fields: 'comment', '\\x01')" in error.message


def test_the_only_file_that_is_no_image_is_refused():
    assert refusal(form(field("file", b"")), FORM).kind == "EmptyImage"
    assert refusal(form(field("file", b"hello")), FORM).kind == "NotAnImage"


@pytest.mark.timeout(100)
def test_a_repeated_key_is_found_among_many():
    """This takes 0.1 s. A search through all keys for each key took 293 s."""
    keys = b",".join(b'"%d":1' % number for number in range(99_000))
    error = refusal({"body": b"{" + keys + b',"98999":1}'}, JSON)
    assert "'98999' is repeated" in error.message


@pytest.mark.parametrize("value", [b"[]", b"{}", b"0"])
def test_json_of_a_million_values_is_refused_before_it_is_parsed(value, monkeypatch):
    monkeypatch.setattr("handler.bodies.json.loads", lambda *_, **__: pytest.fail("it was parsed"))
    error = refusal({"body": b'{"image": [' + b",".join([value] * 1_000_000) + b"]}"}, JSON)
    assert (error.code, error.kind) == (413, "TooManyValues")
    assert "100,000" in error.message


def test_a_form_read_by_torchserve_has_no_file_names():
    assert sizes({"file": bytearray(PNG), "comment": bytearray(b"a seven")}, FORM) == [(280, 280)]
    assert "2 files" in refusal({"file": bytearray(PNG), "image": bytearray(PNG)}, FORM).message
    error = refusal({"comment": "a seven"}, FORM)
    assert (error.code, error.kind) == (400, "MissingField")
    assert "'comment'" in error.message


@pytest.mark.parametrize("value", [bytearray(b""), bytearray(b"7"), "7"])
def test_a_form_field_that_is_no_image_is_refused(value):
    assert refusal({"data": value}, "multipart/form-data").code == 400


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/html; charset=utf-8", "application/pdf", "video/mp4"]
)
def test_another_media_type_without_an_image_is_refused(content_type):
    error = refusal({"body": b"hello"}, content_type)
    assert (error.code, error.kind) == (415, "UnsupportedMediaType")
    assert content_type.split(";")[0] in error.message
    assert "image bytes" in error.message


@pytest.mark.parametrize(
    "content_type",
    ["", "image/png", "image/svg+xml", "application/octet-stream", "application/x-www-form-urlencoded"],
)
def test_an_accepted_media_type_without_an_image_is_refused(content_type):
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
        (b'{"image": "\xed\xa0\x80"}', "not UTF-8"),
        *(
            (json.dumps({"image": TEXT}).encode(encoding), "not valid JSON")
            for encoding in ("utf-16", "utf-16-le", "utf-32-be")
        ),
    ],
    ids=[
        "cut off",
        "text",
        "NaN",
        "infinity",
        "same key twice",
        "deep",
        "long number",
        "not UTF-8",
        "half a pair",
        "UTF-16",
        "UTF-16 without its mark",
        "UTF-32",
    ],
)
def test_invalid_json_is_refused(body, says):
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
        ({"image": TEXT, "instances": []}, "its keys: 'image', 'instances'"),
        ({"image": TEXT, "data": TEXT}, "its keys: 'image', 'data'"),
        (
            {"instances": [{"image": TEXT}, {"b64": TEXT, "body": TEXT}]},
            "'instances[1]' must have exactly one",
        ),
        ({"instances": {"image": TEXT}}, "'instances' is an object"),
        ({"instances": []}, "'instances' is empty"),
        ({"instances": [TEXT]}, "'instances[0]' is a string"),
        ({"instances": [{"image": TEXT}, {"picture": TEXT}]}, "'instances[1]' must have exactly one"),
        ({"image": 7}, "image: The value is a number"),
        ({"image": None}, "image: The value is null"),
        ({"image": {"b64": TEXT, "data": TEXT}}, "image: The value is an object"),
        ({"image": {"image": TEXT}}, "image: The value is an object"),
        ({"data": {"b64": {"b64": TEXT}}}, "data: The value is an object"),
        ({"data": {"b64": 7}}, "data: The value is a number"),
        ({"data": [137, 80, 78, 71]}, "data: The value is an array"),
        ({"instances": [{"b64": None}]}, "instances[0].b64: The value is null"),
        ({"image": True}, "image: The value is a boolean"),
    ],
)
def test_json_of_another_structure_is_refused(content, says):
    error = refusal(document(content), JSON)
    assert (error.code, error.kind) == (400, "InvalidRequest")
    assert says in error.message
    assert TEXT not in error.message


@pytest.mark.parametrize(
    "text",
    [
        "***",
        "aGVsb",
        "iVBORw=",
        "aGVs+G8",
        TEXT[:-1] + "é",
        TEXT[:-2],
        "\ud800",
        "data:image/png,abc",
        "data:image/png;base64",
        "http://x/7.png",
    ],
)
def test_invalid_base64_is_refused(text):
    error = refusal(document({"image": text}), JSON)
    assert (error.code, error.kind) == (400, "InvalidBase64")
    assert error.message.startswith("image: ")
    assert "base64" in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("text", ["", "data:image/png;base64,", base64.b64encode(b"hello").decode()])
def test_base64_of_no_image_is_refused(text):
    error = refusal(document({"image": text}), JSON)
    assert error.code == 400
    assert error.kind in {"EmptyImage", "NotAnImage"}


def test_the_message_names_the_bad_instance():
    bad = base64.b64encode(b"hello").decode()
    error = refusal(document({"instances": [{"image": TEXT}] * 5 + [{"image": bad}]}), JSON)
    assert error.message.startswith("instances[5].image: ")
    truncated = base64.b64encode(encode(drawing(), "JPEG")[:2000]).decode()
    error = refusal(document({"instances": [{"image": TEXT}, {"data": truncated}]}), JSON)
    assert error.kind == "BrokenImage"
    assert error.message.startswith("instances[1].data: ")


def test_more_than_64_instances_are_refused():
    error = refusal(document({"instances": [{"image": TEXT}] * 65}), JSON)
    assert (error.code, error.kind) == (413, "TooManyInstances")
    assert "65" in error.message
    assert "64" in error.message


def test_the_pixels_of_all_instances_are_counted_together():
    large = base64.b64encode(encode(drawing().resize((2400, 2400)))).decode()
    assert sizes(document({"instances": [{"image": large}] * 2}), JSON) == [(2400, 2400)] * 2
    error = refusal(document({"instances": [{"image": large}] * 3}), JSON)
    assert error.code == 413
    assert error.message.startswith("instances[2].image: ")


def test_all_pixels_of_a_canvas_are_counted():
    canvas = canvas_as_sent(Image.new("L", (1024, 1024), 255), (400, 400, 600, 600))
    rest = 4096 * 4096 - 1024 * 1024
    fits, too_many = (
        document(
            {
                "instances": [
                    {"image": base64.b64encode(data).decode()}
                    for data in (canvas, encode(Image.new("1", size)))
                ]
            }
        )
        for size in ((4096, rest // 4096), (4096, rest // 4096 + 1))
    )
    assert len(sizes(fits, JSON)) == 2
    assert refusal(too_many, JSON).code == 413
