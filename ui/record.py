"""One drawing as it is remembered: a row of the table `predictions`."""

import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID, uuid5


class UnreadableError(ValueError):
    """A text that is not a record's; the message says what is wrong."""


@dataclass(frozen=True)
class Record:
    """A drawing with its answer and, once told, its label. A later `revision` replaces an earlier one."""

    id: UUID
    created_at: datetime
    prediction: int
    confidence: float
    probabilities: list[float]
    is_digit: bool
    digit_score: float
    model_version: str
    latency_ms: float
    true_label: int | None
    labelled_at: datetime | None
    drawing: bytes
    revision: int
    # Hash of the id of the visitor who drew it (ui/visitor.py); None in rows of before there was this column.
    visitor: str | None = None
    # Mean ink of the network's input, 0 to 1; None in records of before there was this column.
    ink_share: float | None = None

    def add_label(self, digit: int, at: datetime | None = None) -> "Record":
        """The row with the label that a person gave at a time, by default now; a newer label stays."""
        at = at or datetime.now(UTC)
        if self.labelled_at and self.labelled_at > at:
            return self
        return replace(self, true_label=digit, labelled_at=at, revision=self.revision + 1)

    def under_own_id(self) -> "Record":
        """The same for a visitor who took another's drawing's id: with an id that is theirs."""
        return replace(self, id=own_id(self.id, self.visitor or ""))

    def to_json(self) -> str:
        """Everything but the drawing, which is bytes and kept beside."""
        content = asdict(self)
        del content["drawing"]
        return json.dumps(content, default=str)

    @classmethod
    def from_json(cls, text: str, drawing: bytes) -> "Record":
        """What `to_json` wrote, with its drawing. Raises UnreadableError for anything else.

        Fields of a later release are ignored: after `make undo` its rows are delivered without them.
        """
        try:
            content = json.loads(text)
            for name in ("created_at", "labelled_at"):
                if content[name] is not None:
                    content[name] = datetime.fromisoformat(content[name])
            known = {name: value for name, value in content.items() if name in cls.__dataclass_fields__}
            record = cls(**known | {"id": UUID(content["id"]), "drawing": drawing})
            check_types(record)
            f"{record.model_version}{record.visitor}".encode()  # PostgreSQL takes no lone surrogate
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UnreadableError(f"{type(error).__name__}: {error}") from None
        return record


def check_types(instance: Any) -> None:
    """Raise TypeError if a field of a dataclass holds a value of another type."""
    for name, kind in get_type_hints(type(instance)).items():
        if not _is_of(kind, value := getattr(instance, name)):
            raise TypeError(f"{name} is a {type(value).__name__}")


def _is_of(kind: Any, value: object) -> bool:
    """Whether a value is of the type of its field; a whole number is a float too, and True is no number."""
    if isinstance(kind, UnionType):
        return any(_is_of(one, value) for one in get_args(kind))
    if get_origin(kind) is list:
        [inner] = get_args(kind)
        return isinstance(value, list) and all(_is_of(inner, item) for item in value)
    return type(value) is kind or (kind is float and type(value) is int)


def own_id(drawing_id: UUID, visitor_hash: str) -> UUID:
    """The id for a visitor's drawing whose own is another visitor's: the same for the same two, stroke after stroke."""
    return uuid5(drawing_id, visitor_hash)


COLUMNS = tuple(field.name for field in fields(Record))
KEPT = ("id", "created_at", "visitor")  # a row's, from the first revision on

# Never an older revision over a newer one: a record may be delivered twice or late. And a label closes a drawing: the
# page of a browser that was not told of it in time cannot take it back. And only the visitor who drew it changes it; an
# operator's label comes with the row's own visitor.
UPSERT = """
INSERT INTO predictions ({columns}) VALUES ({values})
ON CONFLICT (id) DO UPDATE SET {changes}
WHERE predictions.revision < excluded.revision
  AND predictions.visitor IS NOT DISTINCT FROM excluded.visitor
  AND (excluded.true_label IS NOT NULL OR predictions.true_label IS NULL)
""".format(
    columns=", ".join(COLUMNS),
    values=", ".join(f"%({name})s" for name in COLUMNS),
    changes=", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEPT),
)
# Those of these drawings that are another visitor's in the database: `ids` and `visitors` are arrays.
FOREIGN = """
SELECT id FROM predictions JOIN unnest(%(ids)s::uuid[], %(visitors)s::text[]) AS sent (id, visitor) USING (id)
WHERE predictions.visitor IS DISTINCT FROM sent.visitor
"""
