"""Read a multipart form (RFC 7578).

    fields = read_form(body, "multipart/form-data; boundary=x")   # {"data": Field(b"\\x89PNG...", is_file=True)}
    image = pick_image(fields)                                    # b"\\x89PNG..."

TorchServe answers 500 to a form that has a field without a name. So the gateway declares every body as bytes, and the
handler reads the form.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from handler.errors import ClientError, quote_beginning
from handler.images import looks_like_image

FORM_FIELD = "data"
MAXIMUM_FIELDS = 1000
MOST_NAMED = 5
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER = rb'^content-disposition:[^\r\n]*?;[ \t]*%s=(?:"([^"\r\n]*)"|([^\s;]*))'
_NAME = re.compile(_PARAMETER % b"name", re.IGNORECASE | re.MULTILINE)
_FILE_NAME = re.compile(_PARAMETER % rb"filename\*?", re.IGNORECASE | re.MULTILINE)  # filename*: RFC 5987


class Field(NamedTuple):
    """The content of a field, and whether the client sent it as a file."""

    content: bytes
    is_file: bool


def read_form(body: bytes, content_type: str) -> dict[str, Field]:
    """The fields by name. Raises ClientError 400 if the form is truncated, has no boundary or repeats a name."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _broken(f"the Content-Type '{content_type[:100]}' has no boundary")
    delimiter = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    # The bytes before the first boundary and after the last one do not belong to the form.
    parts = (b"\r\n" + body).split(b"\r\n" + delimiter, MAXIMUM_FIELDS + 2)[1:]
    if not parts:
        raise _broken(f"its boundary {delimiter[:72].decode('latin-1')!a} is not in the body")
    if len(parts) > MAXIMUM_FIELDS + 1:
        raise _broken(f"it has more than {MAXIMUM_FIELDS} fields")
    last = next((index for index, part in enumerate(parts) if part.startswith(b"--")), None)
    if last is None:
        raise _broken("it is truncated: its closing boundary is missing")
    fields: dict[str, Field] = {}
    for part in parts[:last]:
        headers, blank_line, content = part.partition(b"\r\n\r\n")
        found_name, file_name = _NAME.search(headers), _FILE_NAME.search(headers)
        if not blank_line or found_name is None:
            raise _broken("one of its parts has no header 'Content-Disposition: form-data; name=...'")
        name = (found_name[1] or found_name[2] or b"").decode("utf-8", "replace")
        if name in fields:
            raise _broken(f"the field {name[:40]!a} is repeated")
        # A browser sends an empty file input with an empty file name and without content.
        is_file = file_name is not None and bool(file_name[1] or file_name[2] or content)
        fields[name] = Field(content, is_file)
    return fields


def pick_image(fields: Mapping[str, Field]) -> bytes:
    """The content of the only file whatever its name, otherwise of the field `data`. Raises ClientError 400.

    Without files and without `data`, a field that begins as an image counts as a file: some clients send no file name.
    """
    if not fields:
        raise _broken("it is empty or truncated")
    files = [name for name, field in fields.items() if field.is_file]
    if len(files) != 1 and FORM_FIELD in fields:
        return fields[FORM_FIELD].content
    files = files or [name for name, field in fields.items() if looks_like_image(field.content)]
    if len(files) != 1:
        shown = list(files or fields)
        names = ", ".join(map(quote_beginning, shown[:MOST_NAMED])) + ", ..." * (len(shown) > MOST_NAMED)
        problem = f"{len(files)} files ({names})" if files else f"no file (fields: {names})"
        accepted = f"one file, or the image in the field '{FORM_FIELD}'"
        raise ClientError(400, "MissingField", f"The form has {problem}", accepted)
    return fields[files[0]].content


def _broken(why: str) -> ClientError:
    accepted = f"a complete form with one file, or with the image in the field '{FORM_FIELD}'"
    return ClientError(400, "BrokenForm", f"The multipart form cannot be read: {why}", accepted)
