"""The acts of a person on the canvas, as pad.js sends them, numbered in their order.

A message of a browser is not trusted: an invalid one raises ValueError.
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ui.digits import DIGITS
from ui.pictures import WHOLE, Box

PNG = "data:image/png;base64,"
# More acts than a person makes in a browser session, and less than the database's largest integer.
MOST = 1_000_000
# 115 days: no page stays open for longer with an unsent label.
MOST_AGO_MS = 10**10
# pad.js sends no more acts in a message.
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class PictureAct:
    """A PNG of a drawing, None for a blank canvas. `drawing` is the browser's id of the drawing."""

    number: int
    drawing: UUID
    revision: int
    picture: bytes | None


@dataclass(frozen=True)
class FileAct(PictureAct):
    """An upload, which counts as a new drawing. Its number is that of the act before it.

    `picture` is the part of `original` that is read.
    """

    original: bytes
    part: Box = WHOLE


@dataclass(frozen=True)
class LabelAct:
    """The digit that a person chose for a drawing, and the time of the click."""

    number: int
    digit: int
    drawing: UUID
    at: datetime = field(compare=False, default_factory=lambda: datetime.now(UTC))


Act = PictureAct | LabelAct


def parse(sent: Any) -> list[Act]:
    """The acts in a message, in their order. Raises ValueError."""
    try:
        return [_parse_act(act) for act in sent[:MOST_AT_ONCE]]
    except (TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise ValueError(f"Acts are a list of objects with the fields of pad.js: {error!r}.") from None


def _parse_act(sent: dict[str, Any]) -> Act:
    number, drawing = _integer(sent["number"], 1, MOST), UUID(sent["drawing"])
    if "label" in sent:
        at = datetime.now(UTC) - timedelta(milliseconds=_integer(sent["ago"], 0, MOST_AGO_MS))
        return LabelAct(number, _integer(sent["label"], DIGITS[0], DIGITS[-1]), drawing, at)
    picture = sent["picture"]
    if picture is not None:
        if not picture.startswith(PNG):
            raise ValueError(f"A picture begins with '{PNG}'.")
        picture = base64.b64decode(picture[len(PNG) :], validate=True)
    return PictureAct(number, drawing, _integer(sent["revision"], 1, MOST), picture)


def _integer(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{value!r:.80} is no integer from {least} to {most}.")
    return value
