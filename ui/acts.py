"""What a person does on the page, as pad.js sends it: acts, numbered in their order.

What a browser sends is not believed: whoever sends something else gets a ValueError.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from uuid import UUID

PNG = "data:image/png;base64,"
# More than a person makes in one browser session, and less than the database's largest integer.
MOST = 1_000_000
# Acts read of a message; pad.js sends no more.
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class Shown:
    """The canvas shows a picture of a drawing, PNG; None: it is blank. `drawing` is the browser's own id for it."""

    number: int
    drawing: UUID
    revision: int
    picture: bytes | None


@dataclass(frozen=True)
class Labelled:
    """A person says which digit a drawing is; `drawing` is the browser's id, None if its canvas is blank."""

    number: int
    digit: int
    drawing: UUID | None = None


Act = Shown | Labelled


def read(sent: Any) -> list[Act]:
    """The acts that a browser sent, the first one first. Raises ValueError."""
    try:
        return [_read(act) for act in sent[:MOST_AT_ONCE]]
    except (TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise ValueError(f"Acts are a list of objects with the fields of pad.js: {error!r}.") from None


def _read(sent: dict[str, Any]) -> Act:
    number = _integer(sent["number"], 1, MOST)
    if "label" in sent:
        drawing = UUID(sent["drawing"]) if "drawing" in sent else None
        return Labelled(number, _integer(sent["label"], 0, 9), drawing)
    picture = sent["picture"]
    if picture is not None:
        if not picture.startswith(PNG):
            raise ValueError(f"A picture begins with '{PNG}'.")
        picture = base64.b64decode(picture[len(PNG) :], validate=True)
    return Shown(number, UUID(sent["drawing"]), _integer(sent["revision"], 1, MOST), picture)


def _integer(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.80} is no integer from {least} to {most}.")
    return value
