"""The queries of the page History: pages of 50 drawings by keyset pagination, each in milliseconds.

An index finds the ids of a page (sql/migrations/0003_history.sql); then its rows are fetched. A filter on prediction,
version, label or digit check takes the newest rows of each prediction and version from an index and merges them. So a
page takes as long when one drawing in a million matches as when all match.
"""

# ruff: noqa: S608  statements consist of constants of this file; values that a person chose are bound

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from ui.record import Record

PAGE = 50
EXPORT_TIMEOUT = "60s"
EXPORT_BATCH = 500

# Written out, because a LiteralString cannot be computed from the fields of Record.
_COLUMNS: LiteralString = (
    "id, created_at, prediction, confidence, probabilities, is_digit, digit_score, model_version, latency_ms,"
    " true_label, labelled_at, drawing, revision, visitor, ink_share"
)
VERSIONS: LiteralString = (
    "SELECT DISTINCT model_version FROM insights WHERE facet = 'latency' AND drawings > 0"
)

Labels = Literal["wrong", "unlabelled"]


@dataclass(frozen=True)
class Filters:
    """Conditions on drawings; `since` is inclusive, `until` exclusive. None and False match all."""

    digit: int | None = None  # the prediction
    version: str | None = None
    labels: Labels | None = None
    no_digit: bool = False
    since: datetime | None = None
    until: datetime | None = None
    ids: list[UUID] | None = None

    def match(self, record: Record) -> bool:
        """Whether a record of the outbox matches, by the same rules as the statement of `newest`."""
        return (
            self.digit in (None, record.prediction)
            and self.version in (None, record.model_version)
            and (self.labels != "wrong" or record.true_label not in (None, record.prediction))
            and (self.labels != "unlabelled" or record.true_label is None)
            and (not self.no_digit or not record.is_digit)
            and (self.since is None or record.created_at >= self.since)
            and (self.until is None or record.created_at < self.until)
            and (self.ids is None or record.id in self.ids)
        )


@dataclass(frozen=True)
class Cursor:
    """The drawing after which a page begins, in the direction of older or of newer drawings."""

    created_at: datetime
    id: UUID
    newer: bool = False

    @classmethod
    def at(cls, record: Record, newer: bool = False) -> "Cursor":
        return cls(record.created_at, record.id, newer)

    def covers(self, record: Record) -> bool:
        """Whether a record lies in the cursor's direction."""
        there, here = (record.created_at, record.id), (self.created_at, self.id)
        return there > here if self.newer else there < here


@dataclass(frozen=True)
class Page:
    """Records, newest first, and whether more exist in either direction."""

    records: list[Record]
    has_newer: bool
    has_older: bool


def newest(
    connection: Connection[Any], filters: Filters, cursor: Cursor | None = None, limit: int = PAGE + 1
) -> list[Record]:
    """Up to `limit` records that match, in the cursor's direction; without a cursor, from the newest."""
    return _fetch(connection, *page_query(filters, cursor, limit))


def record(connection: Connection[Any], drawing_id: UUID) -> Record | None:
    """The row of a drawing; None if there is none."""
    statement: LiteralString = f"SELECT {_COLUMNS} FROM predictions WHERE id = %(id)s"
    return next(iter(_fetch(connection, statement, {"id": drawing_id})), None)


def export(connection: Connection[Any], filters: Filters, limit: int) -> Iterator[Record]:
    """The newest `limit` records that match, fetched in batches."""
    conditions = _conditions(filters)
    if filters.digit is not None:
        conditions.append("prediction = %(digit)s")
    if filters.version is not None:
        conditions.append("model_version = %(version)s")
    statement: LiteralString = (
        f"SELECT {_COLUMNS} FROM predictions WHERE {_join(conditions)}"
        f" ORDER BY {_order(None)} LIMIT %(limit)s"
    )
    connection.execute(f"SET LOCAL statement_timeout = '{EXPORT_TIMEOUT}'")
    with connection.cursor("export", row_factory=class_row(Record)) as cursor:
        cursor.itersize = EXPORT_BATCH
        yield from cursor.execute(statement, {**filters.__dict__, "limit": limit})


def versions(connection: Connection[Any]) -> list[str]:
    """The versions of all stored drawings."""
    return [version for (version,) in connection.execute(f"{VERSIONS} ORDER BY 1")]


def merge_waiting(
    found: Iterable[Record],
    waiting: Iterable[Record],
    cursor: Cursor | None,
    match: Callable[[Record], bool],
    limit: int = PAGE + 1,
) -> list[Record]:
    """Rows of the database with records of the outbox: the newer revision of each, and new records that match."""
    rows = {row.id: row for row in found}
    for row in waiting:
        if row.id in rows:
            rows[row.id] = max(row, rows[row.id], key=lambda record: record.revision)
        elif match(row) and (cursor is None or cursor.covers(row)):
            rows[row.id] = row
    newer = cursor is not None and cursor.newer
    return sorted(rows.values(), key=lambda row: (row.created_at, row.id), reverse=not newer)[:limit]


def make_page(rows: Sequence[Record], cursor: Cursor | None) -> Page:
    """A page of up to PAGE of these rows; one row more shows that another page follows."""
    shown, more = list(rows[:PAGE]), len(rows) > PAGE
    if cursor is not None and cursor.newer:
        return Page(shown[::-1], has_newer=more, has_older=True)
    return Page(shown, has_newer=cursor is not None, has_older=more)


def page_query(filters: Filters, cursor: Cursor | None, limit: int) -> tuple[LiteralString, dict[str, Any]]:
    """Statement and values of `newest`."""
    order, where = _order(cursor), _join([*_conditions(filters), *_start(cursor)])
    if replace(filters, since=None, until=None, ids=None) == Filters():
        found: LiteralString = f"SELECT id FROM predictions WHERE {where} ORDER BY {order} LIMIT %(limit)s"
    else:
        digits: LiteralString = "SELECT generate_series(0, 9)::smallint"
        if filters.digit is not None:
            digits = "SELECT %(digit)s::smallint"
        version: LiteralString = VERSIONS if filters.version is None else "SELECT %(version)s::text"
        found = (
            f"SELECT id FROM ({digits}) AS d (digit), ({version}) AS v (version), LATERAL ("
            " SELECT id, created_at FROM predictions"
            f" WHERE prediction = digit AND model_version = version AND {where}"
            f" ORDER BY {order} LIMIT %(limit)s"
            f") AS run ORDER BY {order} LIMIT %(limit)s"
        )
    statement: LiteralString = (
        f"WITH found AS MATERIALIZED ({found})"
        f" SELECT {_COLUMNS} FROM found JOIN predictions USING (id) ORDER BY {order}"
    )
    return statement, {**filters.__dict__, **(cursor.__dict__ if cursor else {}), "limit": limit}


def _fetch(connection: Connection[Any], statement: LiteralString, values: dict[str, Any]) -> list[Record]:
    with connection.cursor(row_factory=class_row(Record)) as cursor:
        return cursor.execute(statement, values).fetchall()


def _conditions(filters: Filters) -> list[LiteralString]:
    """The conditions of a filter, except prediction and version."""
    conditions: list[tuple[bool, LiteralString]] = [
        (filters.labels == "wrong", "true_label <> prediction"),
        (filters.labels == "unlabelled", "true_label IS NULL"),
        (filters.no_digit, "NOT is_digit"),
        (filters.since is not None, "created_at >= %(since)s"),
        (filters.until is not None, "created_at < %(until)s"),
        (filters.ids is not None, "id = ANY(%(ids)s)"),
    ]
    return [condition for applies, condition in conditions if applies]


def _start(cursor: Cursor | None) -> list[LiteralString]:
    if cursor is None:
        return []
    if cursor.newer:
        return ["(created_at, id) > (%(created_at)s, %(id)s)"]
    return ["(created_at, id) < (%(created_at)s, %(id)s)"]


def _order(cursor: Cursor | None) -> LiteralString:
    return "created_at, id" if cursor and cursor.newer else "created_at DESC, id DESC"


def _join(conditions: Sequence[LiteralString]) -> LiteralString:
    return " AND ".join(conditions) or "true"
