"""What History asks of the database: pages of the newest drawings, by keyset, of any filter in milliseconds.

A page is found in an index alone (sql/migrations/0003_history.sql) and its 50 rows then fetched. Where answer, version
or a state is filtered, the newest of each answer and version are looked up in the index of that state, a few dozen
short looks, and merged: so a page takes as long when one drawing in a million fits as when all do.
"""

# ruff: noqa: S608  every part of a statement is a constant of this file, and what a person chose is bound

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ui.record import Record

PAGE = 50
EXPORT_TIMEOUT = "60s"
EXPORT_BATCH = 500

# Written out rather than put together from ui.record: every statement here is a constant.
_COLUMNS: LiteralString = (
    "id, created_at, prediction, confidence, probabilities, is_digit, digit_score, model_version, latency_ms,"
    " true_label, labelled_at, drawing, revision, visitor, ink_share"
)
_SINCE: LiteralString = "created_at >= %(since)s"
_UNTIL: LiteralString = "created_at < %(until)s"
VERSIONS: LiteralString = (
    "SELECT DISTINCT model_version FROM insights WHERE facet = 'latency' AND drawings > 0"
)


Labels = Literal["wrong", "unlabelled"]


@dataclass(frozen=True)
class Filters:
    """Which drawings; `since` is included and `until` is not. None and False are all of them."""

    digit: int | None = None  # what the model answered
    version: str | None = None
    labels: Labels | None = None
    no_digit: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def fit(self, record: Record) -> bool:
        """Whether a drawing is one of them: what `newest` asks of the database, for one that waits in the outbox."""
        return (
            self.digit in (None, record.prediction)
            and self.version in (None, record.model_version)
            and (self.labels != "wrong" or record.true_label not in (None, record.prediction))
            and (self.labels != "unlabelled" or record.true_label is None)
            and (not self.no_digit or not record.is_digit)
            and (self.since is None or record.created_at >= self.since)
            and (self.until is None or record.created_at < self.until)
        )


@dataclass(frozen=True)
class Place:
    """Where a page begins: after this drawing, in the direction of older or of newer ones."""

    created_at: datetime
    id: UUID
    newer: bool = False

    @classmethod
    def of(cls, record: Record, newer: bool = False) -> "Place":
        return cls(record.created_at, record.id, newer)

    def before(self, record: Record) -> bool:
        """Whether a drawing lies on this place's side."""
        there, here = (record.created_at, record.id), (self.created_at, self.id)
        return there > here if self.newer else there < here


@dataclass(frozen=True)
class Page:
    """Drawings, the newest first, and whether there are more in either direction."""

    records: list[Record]
    has_newer: bool
    has_older: bool


def newest(
    connection: Connection[Any], filters: Filters, place: Place | None = None, limit: int = PAGE + 1
) -> list[Record]:
    """Up to `limit` drawings of a filter from `place` on, in its direction; from the newest on without one."""
    return _records(connection, page_statement(filters, place), page_values(filters, place, limit))


def newest_of(
    connection: Connection[Any], ids: Sequence[UUID], place: Place | None = None, limit: int = PAGE + 1
) -> list[Record]:
    """The same among drawings that are named."""
    return _records(connection, own_statement(place), own_values(ids, place, limit))


def record(connection: Connection[Any], drawing_id: UUID) -> Record | None:
    """One drawing; None when it is not there."""
    statement: LiteralString = f"SELECT {_COLUMNS} FROM predictions WHERE id = %(id)s"
    return next(iter(_records(connection, statement, {"id": drawing_id})), None)


def export(connection: Connection[Any], filters: Filters, limit: int) -> Iterator[Record]:
    """The newest `limit` drawings of a filter, a few at a time."""
    conditions: list[LiteralString] = [*_states(filters), *_dates(filters)]
    if filters.digit is not None:
        conditions.append("prediction = %(digit)s")
    if filters.version is not None:
        conditions.append("model_version = %(version)s")
    statement: LiteralString = (
        f"SELECT {_COLUMNS} FROM predictions WHERE {_all_of(*conditions)}"
        " ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
    )
    connection.execute(f"SET LOCAL statement_timeout = '{EXPORT_TIMEOUT}'")
    with connection.cursor("export", row_factory=class_row(Record)) as cursor:
        cursor.itersize = EXPORT_BATCH
        yield from cursor.execute(statement, {**filters.__dict__, "limit": limit})


def versions(connection: Connection[Any]) -> list[str]:
    """Every model version that answered a drawing which is still there."""
    return [version for (version,) in connection.execute(f"{VERSIONS} ORDER BY 1")]


def page(found: Sequence[Record], place: Place | None, limit: int = PAGE) -> Page:
    """What `newest` found, as a page: one more than fits tells that there are more."""
    shown, more = list(found[:limit]), len(found) > limit
    if place is None:
        return Page(shown, has_newer=False, has_older=more)
    if place.newer:
        return Page(shown[::-1], has_newer=more, has_older=True)
    return Page(shown, has_newer=True, has_older=more)


def merged(
    found: Iterable[Record],
    waiting: Iterable[Record],
    place: Place | None,
    fits: Callable[[Record], bool],
    limit: int = PAGE + 1,
) -> list[Record]:
    """What the database found with what still waits for it: the newer revision of each, and new ones that fit."""
    rows = {row.id: row for row in found}
    for row in waiting:
        if row.id in rows:
            rows[row.id] = max(row, rows[row.id], key=lambda record: record.revision)
        elif fits(row) and (place is None or place.before(row)):
            rows[row.id] = row
    newer = place is not None and place.newer
    return sorted(rows.values(), key=lambda row: (row.created_at, row.id), reverse=not newer)[:limit]


def page_statement(filters: Filters, place: Place | None) -> LiteralString:
    """The statement of a page: its drawings found in an index, then fetched."""
    order = _order(place)
    within = _all_of(*_states(filters), *_dates(filters), *_from(place))
    if filters.digit is None and filters.version is None and not _states(filters):
        found: LiteralString = (
            f"SELECT id, created_at FROM predictions WHERE {within} ORDER BY {order} LIMIT %(limit)s"
        )
    else:
        digits: LiteralString = (
            "SELECT generate_series(0, 9)::smallint"
            if filters.digit is None
            else "SELECT %(digit)s::smallint"
        )
        version: LiteralString = VERSIONS if filters.version is None else "SELECT %(version)s::text"
        found = (
            f"SELECT run.id, run.created_at FROM ({digits}) AS d (digit), ({version}) AS v (version), LATERAL ("
            " SELECT id, created_at FROM predictions"
            f" WHERE prediction = digit AND model_version = version AND {within}"
            f" ORDER BY {order} LIMIT %(limit)s"
            f") AS run ORDER BY {order} LIMIT %(limit)s"
        )
    columns: LiteralString = "p." + _COLUMNS.replace(", ", ", p.")
    return (
        f"WITH found AS MATERIALIZED ({found}) SELECT {columns} FROM found JOIN predictions AS p USING (id)"
        f" ORDER BY {'p.created_at, p.id' if place and place.newer else 'p.created_at DESC, p.id DESC'}"
    )


def page_values(filters: Filters, place: Place | None, limit: int) -> dict[str, Any]:
    """What `page_statement` is to be executed with."""
    return {**filters.__dict__, **(place.__dict__ if place else {}), "limit": limit}


def own_statement(place: Place | None) -> LiteralString:
    """The statement of a page of named drawings."""
    conditions = _all_of("id = ANY(%(ids)s)", *_from(place))
    return f"SELECT {_COLUMNS} FROM predictions WHERE {conditions} ORDER BY {_order(place)} LIMIT %(limit)s"


def own_values(ids: Sequence[UUID], place: Place | None, limit: int) -> dict[str, Any]:
    """What `own_statement` is to be executed with."""
    return {**(place.__dict__ if place else {}), "ids": list(ids), "limit": limit}


def _records(connection: Connection[Any], statement: LiteralString, values: dict[str, Any]) -> list[Record]:
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        return cursor.execute(statement, values).fetchall()


def _states(filters: Filters) -> list[LiteralString]:
    states: list[LiteralString] = []
    if filters.labels == "wrong":
        states.append("true_label <> prediction")
    if filters.labels == "unlabelled":
        states.append("true_label IS NULL")
    if filters.no_digit:
        states.append("NOT is_digit")
    return states


def _dates(filters: Filters) -> list[LiteralString]:
    return ([_SINCE] if filters.since else []) + ([_UNTIL] if filters.until else [])


def _from(place: Place | None) -> list[LiteralString]:
    if place is None:
        return []
    if place.newer:
        return ["(created_at, id) > (%(created_at)s, %(id)s)"]
    return ["(created_at, id) < (%(created_at)s, %(id)s)"]


def _order(place: Place | None) -> LiteralString:
    return "created_at, id" if place and place.newer else "created_at DESC, id DESC"


def _all_of(*conditions: LiteralString) -> LiteralString:
    return " AND ".join(conditions) or "true"
