"""A multipart form, read field by field (RFC 7578).

    fields = form_fields(body, "multipart/form-data; boundary=x")   # {"data": b"\\x89PNG..."}

TorchServe could read it before the handler, and answers 500 to a form whose field has no name: so the gateway gives
it every body as mere bytes, and the form is read here.
"""

import re

from handler.errors import ClientError

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(
    rb'^content-disposition:[^\r\n]*?;[ \t]*name=(?:"([^"\r\n]*)"|([^\s;]*))', re.IGNORECASE | re.MULTILINE
)
MAXIMUM_FIELDS = 1000


def form_fields(body: bytes, content_type: str) -> dict[str, bytes]:
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
    fields: dict[str, bytes] = {}
    for part in parts[:last]:
        name, content = _field(part)
        if name in fields:
            # Which of two is meant cannot be known: refuse rather than guess.
            raise broken(f"the field {name[:40]!a} is repeated")
        fields[name] = content
    return fields


def _field(part: bytes) -> tuple[str, bytes]:
    headers, blank_line, content = part.partition(b"\r\n\r\n")
    name = _NAME.search(headers)
    if not blank_line or name is None:
        raise broken("one of its parts has no header 'Content-Disposition: form-data; name=...'")
    return (name[1] or name[2] or b"").decode("utf-8", "replace"), content


def broken(why: str) -> ClientError:
    return ClientError(
        400,
        "BrokenForm",
        f"The multipart form cannot be read: {why}. Accepted: a complete form with the image in the field 'data'.",
    )
