"""Read the images of a request: raw bytes, base64, a multipart form, or JSON with base64.

    submission = read_submission(row, content_type)
    submission.images    # opened and checked, not decoded yet
    submission.many      # whether the answer is {"predictions": [...]}

A row is what TorchServe makes of one request: {"body": ...}, or a form's fields by their names where it was told of a
form. Through the gateway it never is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from handler.base64_text import begins_as_image, decode_base64
from handler.errors import ClientError, quote_beginning
from handler.forms import FORM_FIELD, Field, form_fields, form_image
from handler.images import ACCEPTED, looks_like_image, open_image

MAXIMUM_INSTANCES = 64
# 64 images need a few hundred. 5 MiB of empty lists are 1.7 million, which took 3 s and 120 MB to read.
MAXIMUM_JSON_VALUES = 100_000
# Our own, and those in the documentation of TensorFlow Serving (b64), of KServe (image_bytes, data) and of TorchServe
# (data, body). The value is base64, or {"b64": base64} as TensorFlow Serving encodes binary values.
IMAGE_KEYS = ("image", "image_bytes", "data", "body", "b64")
BODIES = (
    f"image bytes ({ACCEPTED}), their base64 or data URI, a multipart form with one file or with the field "
    f'\'{FORM_FIELD}\', JSON {{"image": "<base64 or data URI>"}}, or JSON {{"instances": [{{"image": ...}}, ...]}}'
)
# What clients declare when nobody told them the media type: curl's default is the last one.
UNTOLD = ("", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Submission:
    """The images of one request, in their order."""

    images: list[Image.Image]
    many: bool


def read_submission(row: Mapping[str, Any], content_type: str) -> Submission:
    """The images of a request, given the media type that its client declared ("" for none).

    Raises ClientError: 400 for a body that holds no readable image, 413 for too many images or
    pixels, 415 for a media type that is not accepted and holds no image.
    """
    media_type = content_type.split(";", 1)[0].strip().lower()
    is_form = media_type.startswith("multipart/")
    if is_form and "body" not in row:
        fields = {name: Field(_as_bytes(value), is_file=False) for name, value in row.items()}
        return Submission([open_image(form_image(fields))], many=False)
    body = row.get("body", row.get(FORM_FIELD))
    if isinstance(body, dict):
        return _from_document(body)
    data = _as_bytes(body)
    if not data:
        raise ClientError(400, "EmptyBody", f"The body is empty (0 bytes). Accepted: {BODIES}.")
    if looks_like_image(data):
        return Submission([open_image(data)], many=False)
    if is_form:
        return Submission([open_image(form_image(form_fields(data, content_type)))], many=False)
    if _is_json(media_type) or data.lstrip().startswith(b"{"):
        return _from_document(_parsed(data))
    if begins_as_image(data):
        data = decode_base64(data.decode("latin-1"))
    elif not (media_type.startswith("image/") or media_type in UNTOLD):
        raise ClientError(
            415,
            "UnsupportedMediaType",
            f"The Content-Type '{media_type[:100]}' is not accepted, and the body is not an image. "
            f"Accepted: {BODIES}.",
        )
    return Submission([open_image(data)], many=False)


def _as_bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _parsed(data: bytes) -> object:
    if (values := data.count(b",") + data.count(b"[") + data.count(b"{")) > MAXIMUM_JSON_VALUES:
        raise ClientError(
            413,
            "TooManyValues",
            f"The JSON body has about {values:,} values. Accepted: at most {MAXIMUM_JSON_VALUES:,}; "
            f"{MAXIMUM_INSTANCES} images need a few hundred.",
        )
    try:
        # By itself json.loads also takes UTF-16 and UTF-32.
        text = data.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_without_duplicates)
    except ClientError:
        raise
    except RecursionError:
        raise _bad_json("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _bad_json("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _bad_json(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # a whole number of more digits than Python reads
        raise _bad_json("a number is too long") from None


def _no_constant(name: str) -> object:
    raise _bad_json(f"{name} is not a JSON value")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Which of two values is meant cannot be known: refuse rather than guess."""
    document: dict[str, object] = {}
    for name, value in pairs:
        if name in document:
            raise _bad_json(f"the key {quote_beginning(name)} is repeated")
        document[name] = value
    return document


def _bad_json(why: str) -> ClientError:
    return ClientError(400, "InvalidJson", f"The body is not valid JSON: {why}. Accepted: {BODIES}.")


def _from_document(document: object) -> Submission:
    if not isinstance(document, dict):
        raise _bad_document(f"The JSON body is {_kind(document)}")
    key = _only_key(document, (*IMAGE_KEYS, "instances"), "The JSON object")
    if key == "instances":
        return Submission(_images_of_instances(document[key]), many=True)
    return Submission([_image_at(key, document[key], 0)], many=False)


def _images_of_instances(instances: object) -> list[Image.Image]:
    if not isinstance(instances, list):
        raise _bad_document(f"'instances' is {_kind(instances)}")
    if not instances:
        raise _bad_document("'instances' is empty")
    if len(instances) > MAXIMUM_INSTANCES:
        raise ClientError(
            413,
            "TooManyInstances",
            f"'instances' has {len(instances)} items. Accepted: 1 to {MAXIMUM_INSTANCES}.",
        )
    images: list[Image.Image] = []
    pixels_so_far = 0
    for index, instance in enumerate(instances):
        place = f"instances[{index}]"
        if not isinstance(instance, dict):
            raise _bad_document(f"'{place}' is {_kind(instance)}")
        key = _only_key(instance, IMAGE_KEYS, f"'{place}'")
        image = _image_at(f"{place}.{key}", instance[key], pixels_so_far)
        pixels_so_far += image.width * image.height
        images.append(image)
    return images


def _only_key(document: Mapping[str, object], keys: Sequence[str], place: str) -> str:
    """The one of these keys that the object has. Which of two is meant cannot be known: refuse rather than guess."""
    found = [key for key in keys if key in document]
    if len(found) != 1:
        accepted = ", ".join(f"'{key}'" for key in keys[:-1])
        have = ", ".join(quote_beginning(key) for key in found or list(document)[:5]) or "none"
        raise _bad_document(
            f"{place} must have exactly one of the keys {accepted} and '{keys[-1]}'; its keys: {have}"
        )
    return found[0]


def _bad_document(what: str) -> ClientError:
    return ClientError(
        400,
        "InvalidRequest",
        f'{what}. Accepted: {{"image": "<base64 or data URI>"}} or {{"instances": [{{"image": ...}}, ...]}} '
        f"with 1 to {MAXIMUM_INSTANCES} items.",
    )


def _image_at(place: str, value: object, pixels_before: int) -> Image.Image:
    """The image in a value of the document; an error says where it is."""
    try:
        return open_image(_from_value(value), pixels_before)
    except ClientError as error:
        raise error.within(place) from error


def _from_value(value: object) -> bytes:
    text = value["b64"] if isinstance(value, dict) and value.keys() == {"b64"} else value
    if not isinstance(text, str):
        raise ClientError(
            400,
            "InvalidRequest",
            f'The value is {_kind(text)}. Accepted: a base64 string, alone or as {{"b64": "<base64>"}}.',
        )
    return decode_base64(text)


def _kind(value: object) -> str:
    """What a JSON value is, in JSON's own words."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
