"""The outbox: answers and labels on local disk until the database has them.

The page writes here before it shows an answer. Neither a killed process nor a power cut loses a record, and the page
never waits for the database. A damaged record in an intact file is set aside when its turn comes; ui/damage.py replaces
a damaged file.
"""

import json
import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from ui.damage import shorten
from ui.outbox_file import OutboxFile
from ui.record import Record, UnreadableError

# Labels given in History, for the session that still shows the drawing.
MOST_LABELLED = 1000
# History shows a visitor the newest drawings of the browser session.
MOST_DRAWINGS = 1000
OWNER_KEPT_S = 30 * 86_400.0
SELECT = "SELECT rowid, id, revision, record, drawing FROM waiting"

log = logging.getLogger(__name__)


class Outbox:
    """One SQLite file, shared by the page's threads and the deliverer. Every method raises OutboxError."""

    def __init__(self, path: Path) -> None:
        self._file = OutboxFile(path)
        self._labelled: OrderedDict[UUID, Record] = OrderedDict()

    def put(self, record: Record) -> Record:
        """Write a record to disk and return it. A newer revision and a label are never overwritten by an older one.

        Only the visitor who drew a drawing changes it. A record of another visitor becomes a drawing with another id.
        """
        with self._file.transaction("IMMEDIATE") as connection:
            if _is_foreign(connection, record):
                record = record.derive_id()
            _write(connection, record)
            _write_owner(connection, record)
        return record

    def drawing_ids(self, visitor: str) -> list[UUID]:
        """The ids of a visitor's drawings, newest first. `visitor` is the hash of the visitor's id."""
        with self._file.transaction("DEFERRED") as connection:
            rows = connection.execute(
                "SELECT id FROM owner WHERE visitor = ? ORDER BY since DESC LIMIT ?", (visitor, MOST_DRAWINGS)
            )
            return [UUID(drawing_id) for (drawing_id,) in rows]

    def label(
        self,
        drawing_id: UUID,
        digit: int,
        find_row: Callable[[], Record | None],
        visitor: str | None = None,
        at: datetime | None = None,
    ) -> Record | None:
        """Write the label of a drawing that no session shows; returns its record, with this or a newer label.

        `at` is the time of the click, by default now. With the hash of a visitor's id, only a drawing of that visitor
        is labelled; without, as for an operator, any drawing. None if there is no such drawing.

        `find_row` reads the row from the database, outside of any transaction of the outbox. A record leaves the outbox
        only after the database has it, so one of these three reads finds the newest revision: outbox, database, outbox.
        """
        before, row = self.find([drawing_id]), find_row()
        with self._file.transaction("IMMEDIATE") as connection:
            if visitor is not None and _owner(connection, drawing_id) != visitor:
                return None
            rows = [*before, *([row] if row else []), *_find(connection, [drawing_id])]
            if not rows:
                return None
            labelled = max(rows, key=lambda record: record.revision).add_label(digit, at)
            _write(connection, labelled)
        self._labelled[drawing_id] = labelled
        if len(self._labelled) > MOST_LABELLED:
            self._labelled.popitem(last=False)
        return labelled

    def find_labelled(self, drawing_id: UUID) -> Record | None:
        """The record that `label` wrote for a drawing: the session that drew it does not know of the label."""
        return self._labelled.get(drawing_id)

    def find(self, ids: Sequence[UUID]) -> list[Record]:
        """The records with these ids that are not delivered."""
        with self._file.transaction("DEFERRED") as connection:
            return _find(connection, ids)

    def oldest(self, limit: int) -> list[Record]:
        """Up to `limit` records, oldest first. Unreadable records are set aside."""
        while True:
            with self._file.transaction("DEFERRED") as connection:
                records, unreadable = _read(connection.execute(f"{SELECT} ORDER BY since LIMIT ?", (limit,)))
            if not unreadable:
                return records
            with self._file.transaction("IMMEDIATE") as connection:
                for rowid, reason in unreadable.items():
                    _set_aside(connection, reason, "rowid = ?", rowid)
            for reason in unreadable.values():
                log.error("a row of the outbox was rejected and set aside: %s", reason)

    def remove(self, records: Sequence[Record]) -> None:
        """Remove delivered records; newer revisions stay."""
        with self._file.transaction("IMMEDIATE") as connection:
            connection.executemany(
                "DELETE FROM waiting WHERE id = ? AND revision = ?",
                [(str(record.id), record.revision) for record in records],
            )

    def derive_ids(self, records: Sequence[Record]) -> None:
        """Give new ids to records whose ids belong to drawings of other visitors in the database."""
        with self._file.transaction("IMMEDIATE") as connection:
            for record in _find(connection, [record.id for record in records]):
                connection.execute("DELETE FROM waiting WHERE id = ?", (str(record.id),))
                derived = record.derive_id()
                _write(connection, derived)
                _write_owner(connection, derived)

    def reject(self, record: Record, reason: str) -> None:
        """Set aside a record that the database refuses, so that the others are delivered."""
        with self._file.transaction("IMMEDIATE") as connection:
            _set_aside(connection, reason, "id = ? AND revision = ?", str(record.id), record.revision)

    def waiting_seconds(self) -> float:
        """The age of the oldest record; 0 for an empty outbox."""
        with self._file.transaction("DEFERRED") as connection:
            [(since,)] = connection.execute("SELECT min(since) FROM waiting")
            return 0.0 if since is None else max(0.0, time.time() - since)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()


def _find(connection: sqlite3.Connection, ids: Sequence[UUID]) -> list[Record]:
    names = json.dumps([str(drawing_id) for drawing_id in ids])
    rows = connection.execute(f"{SELECT} WHERE id IN (SELECT value FROM json_each(?))", (names,))  # noqa: S608
    return _read(rows)[0]


def _write(connection: sqlite3.Connection, record: Record) -> None:
    connection.execute(
        """
        INSERT INTO waiting (id, revision, record, drawing, since) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE
        SET revision = excluded.revision, record = excluded.record, drawing = excluded.drawing
        WHERE excluded.revision > waiting.revision
        AND json_extract(excluded.record, '$.visitor') IS json_extract(waiting.record, '$.visitor')
        AND (
            json_extract(excluded.record, '$.true_label') IS NOT NULL
            OR json_extract(waiting.record, '$.true_label') IS NULL
        )
        """,
        (str(record.id), record.revision, record.to_json(), record.drawing, time.time()),
    )


def _set_aside(connection: sqlite3.Connection, reason: str, where: str, *values: str | int) -> None:
    """Move rows to the table `rejected`, unchanged."""
    connection.execute(
        f"""
        INSERT OR REPLACE INTO rejected
        SELECT coalesce(id, ''), revision, record, drawing, ? FROM waiting WHERE {where}
        """,  # noqa: S608  the conditions are constants of this file
        (reason, *values),
    )
    connection.execute(f"DELETE FROM waiting WHERE {where}", values)  # noqa: S608


def _owner(connection: sqlite3.Connection, drawing_id: UUID) -> str | None:
    row = connection.execute("SELECT visitor FROM owner WHERE id = ?", (str(drawing_id),)).fetchone()
    return row[0] if row else None


def _write_owner(connection: sqlite3.Connection, record: Record) -> None:
    if record.visitor is not None:
        now = time.time()
        connection.execute("DELETE FROM owner WHERE since < ?", (now - OWNER_KEPT_S,))
        connection.execute(
            "INSERT OR IGNORE INTO owner VALUES (?, ?, ?)", (str(record.id), record.visitor, now)
        )


def _is_foreign(connection: sqlite3.Connection, record: Record) -> bool:
    """Whether the drawing with this id is another visitor's."""
    [(foreign,)] = connection.execute(
        """
        SELECT EXISTS (SELECT 1 FROM owner WHERE id = :id AND visitor IS NOT :visitor)
            OR EXISTS (SELECT 1 FROM waiting WHERE id = :id AND json_extract(record, '$.visitor') IS NOT :visitor)
        """,
        {"id": str(record.id), "visitor": record.visitor},
    )
    return bool(foreign)


def _read(rows: Iterable[tuple[Any, ...]]) -> tuple[list[Record], dict[int, str]]:
    """The records in rows of SELECT; and for each unreadable row its rowid and the reason."""
    records, unreadable = [], {}
    for rowid, drawing_id, revision, text, drawing in rows:
        try:
            record = Record.from_json(text, drawing)
        except UnreadableError as error:
            unreadable[rowid] = f"the record of drawing {drawing_id} cannot be read: {shorten(error)}"
            continue
        if (str(record.id), record.revision) == (drawing_id, revision):
            records.append(record)
        else:
            unreadable[rowid] = f"the record of drawing {drawing_id} is that of another row"
    return records, unreadable
