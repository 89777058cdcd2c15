"""A multipart form, read field by field (RFC 7578).

    fields = form_fields(body, "multipart/form-data; boundary=x")   # {"data": Field(b"\\x89PNG...", is_file=True)}
    image = form_image(fields)                                      # b"\\x89PNG..."

TorchServe could read it before the handler, and answers 500 to a form whose field has no name: so the gateway gives
it every body as mere bytes, and the form is read here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from handler.errors import ClientError, quote_beginning
from handler.images import looks_like_image

FORM_FIELD = "data"
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(
    rb'^content-disposition:[^\r\n]*?;[ \t]*name=(?:"([^"\r\n]*)"|([^\s;]*))', re.IGNORECASE | re.MULTILINE
)
# Also filename* (RFC 5987). A browser sends an empty name and no content for a file input that was left empty.
_FILE_NAME = re.compile(
    rb'^content-disposition:[^\r\n]*?;[ \t]*filename\*?=(?:"([^"\r\n]*)"|([^\s;]*))',
    re.IGNORECASE | re.MULTILINE,
)
MAXIMUM_FIELDS = 1000
MOST_NAMED = 5


class Field(NamedTuple):
    """A field's content, and whether the client sent it as a file."""

    content: bytes
    is_file: bool


def form_fields(body: bytes, content_type: str) -> dict[str, Field]:
    """The form's fields by name. Raises ClientError 400 where it is cut, has no boundary or repeats a name."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise broken(f"the Content-Type '{content_type[:100]}' has no boundary")
    delimiter = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    # What stands before the first boundary and after the last one counts for nothing.
    parts = (b"\r\n" + body).split(b"\r\n" + delimiter, MAXIMUM_FIELDS + 2)[1:]
    if not parts:
        raise broken(f"its boundary {delimiter[:72].decode('latin-1')!a} is not in the body")
    if len(parts) > MAXIMUM_FIELDS + 1:
        raise broken(f"it has more than {MAXIMUM_FIELDS} fields")
    last = next((index for index, part in enumerate(parts) if part.startswith(b"--")), None)
    if last is None:
        raise broken("it is truncated: its closing boundary is missing")
    fields: dict[str, Field] = {}
    for part in parts[:last]:
        name, field = _field(part)
        if name in fields:
            # Which of two is meant cannot be known: refuse rather than guess.
            raise broken(f"the field {name[:40]!a} is repeated")
        fields[name] = field
    return fields


def form_image(fields: Mapping[str, Field]) -> bytes:
    """The only file whatever the name of its field, otherwise the field `data`. Raises ClientError 400.

    Without both, the fields that begin as an image count as files: some clients give a file no name.
    """
    if not fields:
        raise broken("it is empty or truncated")
    files = [name for name, field in fields.items() if field.is_file]
    if len(files) != 1 and FORM_FIELD in fields:
        return fields[FORM_FIELD].content
    files = files or [name for name, field in fields.items() if looks_like_image(field.content)]
    if len(files) != 1:
        what = f"{len(files)} files ({_names(files)})" if files else f"no file (fields: {_names(fields)})"
        raise ClientError(
            400,
            "MissingField",
            f"The form has {what}. Accepted: one file, or the image in the field '{FORM_FIELD}'.",
        )
    return fields[files[0]].content


def _names(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(map(quote_beginning, shown[:MOST_NAMED])) + (", ..." if len(shown) > MOST_NAMED else "")


def _field(part: bytes) -> tuple[str, Field]:
    headers, blank_line, content = part.partition(b"\r\n\r\n")
    name, file_name = _NAME.search(headers), _FILE_NAME.search(headers)
    if not blank_line or name is None:
        raise broken("one of its parts has no header 'Content-Disposition: form-data; name=...'")
    is_file = file_name is not None and bool(file_name[1] or file_name[2] or content)
    return (name[1] or name[2] or b"").decode("utf-8", "replace"), Field(content, is_file)


def broken(why: str) -> ClientError:
    return ClientError(
        400,
        "BrokenForm",
        f"The multipart form cannot be read: {why}. Accepted: a complete form with one file, or with the image in the "
        f"field '{FORM_FIELD}'.",
    )
