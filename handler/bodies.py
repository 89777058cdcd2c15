"""What a client sent, as images: raw bytes, a multipart form, or JSON with base64.

    submission = read_submission(row, content_type)
    submission.images    # opened and checked, not decoded yet
    submission.many      # whether the answer is {"predictions": [...]}

A row is what TorchServe makes of one request: {"body": ...}, or a form's fields by their names where it was told of a
form. Through the gateway it never is.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from handler.errors import ClientError
from handler.forms import broken, form_fields
from handler.images import ACCEPTED, looks_like_image, open_image, pixels

MAXIMUM_INSTANCES = 64
# 64 images need a few hundred. 5 MiB of empty lists are 1.7 million, which took 3 s and 120 MB to read.
MAXIMUM_JSON_VALUES = 100_000
FORM_FIELD = "data"
BODIES = (
    f"image bytes ({ACCEPTED}), a multipart form with the image in the field '{FORM_FIELD}', JSON "
    '{"image": "<base64 or data URI>"}, or JSON {"instances": [{"image": ...}, ...]}'
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
        return Submission([open_image(_form_image(row))], many=False)
    body = row.get("body", row.get(FORM_FIELD))
    if isinstance(body, dict):
        return _from_document(body)
    data = _as_bytes(body)
    if not data:
        raise ClientError(400, "EmptyBody", f"The body is empty (0 bytes). Accepted: {BODIES}.")
    if looks_like_image(data):
        return Submission([open_image(data)], many=False)
    if is_form:
        return Submission([open_image(_form_image(form_fields(data, content_type)))], many=False)
    if _is_json(media_type) or data.lstrip().startswith(b"{"):
        return _from_document(_parsed(data))
    if not (media_type.startswith("image/") or media_type in UNTOLD):
        raise ClientError(
            415,
            "UnsupportedMediaType",
            f"The Content-Type '{media_type[:100]}' is not accepted, and the body is not an image. "
            f"Accepted: {BODIES}.",
        )
    return Submission([open_image(data)], many=False)


def _form_image(row: Mapping[str, Any]) -> bytes:
    if not row:
        raise broken("it is empty or truncated")
    if FORM_FIELD not in row:
        names = ", ".join(_shown(str(name)) for name in list(row)[:5])
        raise ClientError(
            400,
            "MissingField",
            f"The form has the fields {names}. Accepted: the image in the field '{FORM_FIELD}'.",
        )
    return _as_bytes(row[FORM_FIELD])


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
        return json.loads(data, parse_constant=_no_constant, object_pairs_hook=_without_duplicates)
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
            raise _bad_json(f"the key {_shown(name)} is repeated")
        document[name] = value
    return document


def _bad_json(why: str) -> ClientError:
    return ClientError(400, "InvalidJson", f"The body is not valid JSON: {why}. Accepted: {BODIES}.")


def _from_document(document: object) -> Submission:
    if not isinstance(document, dict):
        raise _bad_document(f"The JSON body is {_kind(document)}")
    if ("image" in document) == ("instances" in document):
        keys = ", ".join(_shown(key) for key in list(document)[:5]) or "none"
        raise _bad_document(
            f"The JSON object must have exactly one of the keys 'image' and 'instances'; its keys: {keys}"
        )
    if "image" in document:
        return Submission([_image_at("image", document["image"], 0)], many=False)
    return Submission(_images_of_instances(document["instances"]), many=True)


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
        if not isinstance(instance, dict) or "image" not in instance:
            raise _bad_document(f"'instances[{index}]' is {_kind(instance)} without 'image'")
        image = _image_at(f"instances[{index}].image", instance["image"], pixels_so_far)
        pixels_so_far += pixels(image)
        images.append(image)
    return images


def _bad_document(what: str) -> ClientError:
    return ClientError(
        400,
        "InvalidRequest",
        f'{what}. Accepted: {{"image": "<base64 or data URI>"}} or {{"instances": [{{"image": ...}}, ...]}} '
        f"with 1 to {MAXIMUM_INSTANCES} items.",
    )


def _image_at(place: str, text: object, pixels_before: int) -> Image.Image:
    """The image in a value of the document; an error says where it is."""
    try:
        return open_image(_from_base64(text), pixels_before)
    except ClientError as error:
        raise error.within(place) from error


def _from_base64(text: object) -> bytes:
    """The bytes of base64 or of a data URI; white space and line ends in it are left out."""
    if not isinstance(text, str):
        raise ClientError(400, "InvalidRequest", f"The value is {_kind(text)}. Accepted: a base64 string.")
    encoded = text
    if text[:5].lower() == "data:":
        header, comma, encoded = text.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise ClientError(
                400,
                "InvalidBase64",
                f"The data URI begins with {_shown(text)}. Accepted: data:image/png;base64,<base64>.",
            )
    try:
        return base64.b64decode("".join(encoded.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ClientError(
            400,
            "InvalidBase64",
            f"The string of {len(text):,} characters that begins with {_shown(text)} is not base64. "
            "Accepted: base64 (A-Z, a-z, 0-9, + and /, padded with =), alone or as a data URI.",
        ) from None


def _shown(text: str) -> str:
    """The beginning of a client's text, safe to show: a message must not carry a whole drawing."""
    return ascii(text if len(text) <= 24 else text[:24] + "...")


def _kind(value: object) -> str:
    """What a JSON value is, in JSON's own words."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
