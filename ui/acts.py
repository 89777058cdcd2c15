"""What a person does on the page, as pad.js sends it: acts, numbered in their order.

What a browser sends is not believed: whoever sends something else gets a ValueError.
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ui.pictures import WHOLE, Box

PNG = "data:image/png;base64,"
# More than a person makes in one browser session, and less than the database's largest integer.
MOST = 1_000_000
# No page stays open for longer than these 115 days with a label that it could not send.
MOST_AGO_MS = 10**10
# Acts read of a message; pad.js sends no more.
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class Shown:
    """A picture of a drawing, PNG; None: its canvas is blank. `drawing` is the browser's own id for it."""

    number: int
    drawing: UUID
    revision: int
    picture: bytes | None


@dataclass(frozen=True)
class File(Shown):
    """A picture that came as a file: a whole drawing by itself. Its number is that of the act before it.

    `picture` is the part of the original that is read: left, top, right and bottom, shares of its sides.
    """

    original: bytes
    part: Box = WHOLE


@dataclass(frozen=True)
class Labelled:
    """The digit that a person says a drawing is, and when they said it."""

    number: int
    digit: int
    drawing: UUID
    at: datetime = field(compare=False, default_factory=lambda: datetime.now(UTC))


Act = Shown | Labelled


def read(sent: Any) -> list[Act]:
    """The acts that a browser sent, the first one first. Raises ValueError."""
    try:
        return [_read(act) for act in sent[:MOST_AT_ONCE]]
    except (TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise ValueError(f"Acts are a list of objects with the fields of pad.js: {error!r}.") from None


def _read(sent: dict[str, Any]) -> Act:
    number = _integer(sent["number"], 1, MOST)
    drawing = UUID(sent["drawing"])
    if "label" in sent:
        at = datetime.now(UTC) - timedelta(milliseconds=_integer(sent["ago"], 0, MOST_AGO_MS))
        return Labelled(number, _integer(sent["label"], 0, 9), drawing, at)
    picture = sent["picture"]
    if picture is not None:
        if not picture.startswith(PNG):
            raise ValueError(f"A picture begins with '{PNG}'.")
        picture = base64.b64decode(picture[len(PNG) :], validate=True)
    return Shown(number, drawing, _integer(sent["revision"], 1, MOST), picture)


def _integer(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.80} is no integer from {least} to {most}.")
    return value
