"""A record: one row of the table `predictions`."""

import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID, uuid5


class UnreadableError(ValueError):
    """A text is not the JSON of a record."""


@dataclass(frozen=True)
class Record:
    """A drawing with its answer and its label, None before there is one. A higher `revision` replaces a lower one."""

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
    # Hash of the visitor's id (ui/visitor.py); None in rows that are older than this column.
    visitor: str | None = None
    # Mean ink of the network's input, 0 to 1; None in rows that are older than this column.
    ink_share: float | None = None

    def add_label(self, digit: int, at: datetime | None = None) -> "Record":
        """The record with a label given `at` a time, by default now. A newer label stays."""
        at = at or datetime.now(UTC)
        if self.labelled_at and self.labelled_at > at:
            return self
        return replace(self, true_label=digit, labelled_at=at, revision=self.revision + 1)

    def derive_id(self) -> "Record":
        """The record with another id, for a visitor who sent the id of another visitor's drawing."""
        return replace(self, id=derive_id(self.id, self.visitor or ""))

    def to_json(self) -> str:
        """The JSON of all fields except the drawing, which the outbox stores as bytes."""
        content = asdict(self)
        del content["drawing"]
        return json.dumps(content, default=str)

    @classmethod
    def from_json(cls, text: str, drawing: bytes) -> "Record":
        """The record of the JSON that `to_json` wrote. Raises UnreadableError.

        Fields of a later release are ignored, so that its records are delivered after `make undo`.
        """
        try:
            content = json.loads(text)
            for name in ("created_at", "labelled_at"):
                if content[name] is not None:
                    content[name] = datetime.fromisoformat(content[name])
            known = {name: value for name, value in content.items() if name in cls.__dataclass_fields__}
            record = cls(**known | {"id": UUID(content["id"]), "drawing": drawing})
            check_types(record)
            f"{record.model_version}{record.visitor}".encode()  # PostgreSQL refuses lone surrogates
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise UnreadableError(f"{type(error).__name__}: {error}") from None
        return record


def check_types(instance: Any) -> None:
    """Raise TypeError if a field of a dataclass holds a value of another type."""
    for name, kind in get_type_hints(type(instance)).items():
        if not _is_of(kind, value := getattr(instance, name)):
            raise TypeError(f"{name} is a {type(value).__name__}")


def _is_of(kind: Any, value: object) -> bool:
    """Whether a value has the type of its field. An int is a float, too; a bool is no number."""
    if isinstance(kind, UnionType):
        return any(_is_of(one, value) for one in get_args(kind))
    if get_origin(kind) is list:
        [inner] = get_args(kind)
        return isinstance(value, list) and all(_is_of(inner, item) for item in value)
    return type(value) is kind or (kind is float and type(value) is int)


def derive_id(drawing_id: UUID, visitor_hash: str) -> UUID:
    """An id that depends on the drawing and its visitor alone, so that it is the same at each stroke."""
    return uuid5(drawing_id, visitor_hash)


COLUMNS = tuple(field.name for field in fields(Record))
CONSTANT = ("id", "created_at", "visitor")  # an update does not change these

# An older revision does not overwrite a newer one: a record may arrive twice or late. A record without a label does not
# overwrite one with a label: the browser may not know of the label yet. A record does not overwrite another visitor's:
# an operator's label has the visitor of the row.
UPSERT = """
INSERT INTO predictions ({columns}) VALUES ({values})
ON CONFLICT (id) DO UPDATE SET {changes}
WHERE predictions.revision < excluded.revision
  AND predictions.visitor IS NOT DISTINCT FROM excluded.visitor
  AND (excluded.true_label IS NOT NULL OR predictions.true_label IS NULL)
""".format(
    columns=", ".join(COLUMNS),
    values=", ".join(f"%({name})s" for name in COLUMNS),
    changes=", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in CONSTANT),
)
# The ids of rows that belong to another visitor than the record. `ids` and `visitors` are arrays.
FOREIGN = """
SELECT id FROM predictions JOIN unnest(%(ids)s::uuid[], %(visitors)s::text[]) AS sent (id, visitor) USING (id)
WHERE predictions.visitor IS DISTINCT FROM sent.visitor
"""
