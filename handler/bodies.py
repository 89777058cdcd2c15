"""Split the body of a request into image files: raw bytes, base64, a multipart form, or JSON with base64.

    body = read_body(row, content_type)
    body.payloads    # the bytes of each image, not yet checked
    body.many        # whether the answer is {"predictions": [...]}

TorchServe makes a row of each request: {"body": ...}. From a Content-Type that is a form it makes the fields by name,
which never happens through the gateway.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from handler.base64_text import begins_as_image, decode_base64
from handler.errors import ClientError, quote_beginning
from handler.forms import FORM_FIELD, Field, pick_image, read_form
from handler.images import ACCEPTED, Payload, looks_like_image

MAXIMUM_INSTANCES = 64
# 64 images need a few hundred. A body of 5 MiB can hold 1.7 million empty lists, which took 3 s and 120 MB to parse.
MAXIMUM_JSON_VALUES = 100_000
# `image` is our own. TensorFlow Serving documents b64, KServe image_bytes and data, TorchServe data and body. The value
# is base64, or {"b64": base64} as TensorFlow Serving encodes binary values.
IMAGE_KEYS = ("image", "image_bytes", "data", "body", "b64")
BODIES = (
    f"image bytes ({ACCEPTED}), their base64 or data URI, a multipart form with one file or with the field "
    f'\'{FORM_FIELD}\', JSON {{"image": "<base64 or data URI>"}}, or JSON {{"instances": [{{"image": ...}}, ...]}}'
)
DOCUMENTS = (
    '{"image": "<base64 or data URI>"} or {"instances": [{"image": ...}, ...]} '
    f"with 1 to {MAXIMUM_INSTANCES} items"
)
# Defaults of HTTP clients; the last one is curl's.
DEFAULT_TYPES = ("", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded")
JSON_NAMES = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}


class Body(NamedTuple):
    """The image files of one request in their order, and whether it asked for a list of answers."""

    payloads: list[Payload]
    many: bool


def read_body(row: Mapping[str, Any], content_type: str) -> Body:
    """The image files of a request; `content_type` is what its client declared, "" for nothing.

    Raises ClientError: 400 for a body that cannot be split, 413 for too many images or JSON values, 415 for a body that
    is no image, of a media type that is not accepted.
    """
    media_type = content_type.split(";", 1)[0].strip().lower()
    is_form = media_type.startswith("multipart/")
    if is_form and "body" not in row:
        return _one(pick_image({name: Field(_to_bytes(value), False) for name, value in row.items()}))
    body = row.get("body", row.get(FORM_FIELD))
    if isinstance(body, dict):
        return _read_document(body)
    data = _to_bytes(body)
    if not data:
        raise ClientError(400, "EmptyBody", "The body is empty (0 bytes)", BODIES)
    if looks_like_image(data):
        return _one(data)
    if is_form:
        data = pick_image(read_form(data, content_type))
    elif media_type == "application/json" or media_type.endswith("+json") or data.lstrip().startswith(b"{"):
        return _read_document(_parse_json(data))
    elif begins_as_image(data):
        data = decode_base64(data.decode("latin-1"))
    elif not (media_type.startswith("image/") or media_type in DEFAULT_TYPES):
        problem = f"The Content-Type '{media_type[:100]}' is not accepted, and the body is not an image"
        raise ClientError(415, "UnsupportedMediaType", problem, BODIES)
    return _one(data)


def _one(data: bytes) -> Body:
    return Body([Payload("", data)], many=False)


def _to_bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""


def _parse_json(data: bytes) -> object:
    if (values := data.count(b",") + data.count(b"[") + data.count(b"{")) > MAXIMUM_JSON_VALUES:
        accepted = f"at most {MAXIMUM_JSON_VALUES:,}; {MAXIMUM_INSTANCES} images need a few hundred"
        raise ClientError(413, "TooManyValues", f"The JSON body has about {values:,} values", accepted)
    try:
        # By default json.loads also accepts UTF-16 and UTF-32.
        text = data.decode("utf-8-sig")
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
    except RecursionError:
        raise _bad_json("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _bad_json("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _bad_json(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # an integer with more digits than Python reads
        raise _bad_json("a number is too long") from None


def _refuse_constant(name: str) -> object:
    raise _bad_json(f"{name} is not a JSON value")


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object of these pairs. Which of two values the client means is unknown."""
    document: dict[str, object] = {}
    for name, value in pairs:
        if name in document:
            raise _bad_json(f"the key {quote_beginning(name)} is repeated")
        document[name] = value
    return document


def _bad_json(why: str) -> ClientError:
    return ClientError(400, "InvalidJson", f"The body is not valid JSON: {why}", BODIES)


def _read_document(document: object) -> Body:
    if not isinstance(document, dict):
        raise _bad_document(f"The JSON body is {_name_type(document)}")
    key = _only_key(document, (*IMAGE_KEYS, "instances"), "The JSON object")
    instances = document[key]
    if key != "instances":
        return Body([_decode_value(key, instances)], many=False)
    if not isinstance(instances, list) or not instances:
        raise _bad_document(f"'instances' is {'empty' if instances == [] else _name_type(instances)}")
    if len(instances) > MAXIMUM_INSTANCES:
        problem = f"'instances' has {len(instances)} items"
        raise ClientError(413, "TooManyInstances", problem, f"1 to {MAXIMUM_INSTANCES}")
    payloads = []
    for index, instance in enumerate(instances):
        place = f"instances[{index}]"
        if not isinstance(instance, dict):
            raise _bad_document(f"'{place}' is {_name_type(instance)}")
        key = _only_key(instance, IMAGE_KEYS, f"'{place}'")
        payloads.append(_decode_value(f"{place}.{key}", instance[key]))
    return Body(payloads, many=True)


def _only_key(document: Mapping[str, object], keys: Sequence[str], place: str) -> str:
    """The only one of these keys that the object has. Which of two the client means is unknown."""
    found = [key for key in keys if key in document]
    if len(found) != 1:
        accepted = ", ".join(f"'{key}'" for key in keys[:-1])
        have = ", ".join(quote_beginning(key) for key in found or list(document)[:5]) or "none"
        raise _bad_document(
            f"{place} must have exactly one of the keys {accepted} and '{keys[-1]}'; its keys: {have}"
        )
    return found[0]


def _bad_document(problem: str) -> ClientError:
    return ClientError(400, "InvalidRequest", problem, DOCUMENTS)


def _decode_value(place: str, value: object) -> Payload:
    """The image file in a JSON value; an error names its place."""
    text = value["b64"] if isinstance(value, dict) and value.keys() == {"b64"} else value
    if not isinstance(text, str):
        accepted = 'a base64 string, alone or as {"b64": "<base64>"}'
        raise ClientError(400, "InvalidRequest", f"{place}: The value is {_name_type(text)}", accepted)
    try:
        return Payload(place, decode_base64(text))
    except ClientError as error:
        raise error.within(place) from error


def _name_type(value: object) -> str:
    """The JSON name of a value's type."""
    return "null" if value is None else JSON_NAMES.get(type(value), "an object")
