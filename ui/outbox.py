"""The outbox: answers and labels on local disk, until the database has them.

What is shown was written here before. SQLite in WAL mode with full synchronisation: neither a killed process nor a
power cut loses a record, and the page never waits for the database. A damaged file is replaced: ui/damage.py. A damaged
record in a file that is whole is set aside when its turn comes.
"""

import json
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from ui import damage
from ui.record import Record, UnreadableError
from ui.visitor import visitor_hash

BUSY_TIMEOUT_S = 5.0
# Labels given in History, remembered for whoever still has the drawing at hand.
MOST_RELABELLED = 1000
# A visitor's History shows the drawings of a browser session, and of a very long one the newest.
MOST_DRAWN = 1000
DRAWN_KEPT_S = 30 * 86_400.0
# What is read of a row that waits: the number that SQLite gives it, and the columns.
ROW = "rowid, id, revision, record, drawing"
# Of a damaged record, for the log: an error may quote all of it.
LONGEST_REASON = 200

SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
    id        TEXT PRIMARY KEY,
    revision  INTEGER NOT NULL,
    record    TEXT NOT NULL,
    drawing   BLOB NOT NULL,
    since     REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS waiting_since ON waiting (since);
CREATE TABLE IF NOT EXISTS rejected (
    id        TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    record    TEXT NOT NULL,
    drawing   BLOB NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (id, revision)
);
-- Who drew what, as it was kept before, with the ids in plain text: moved to `owner` when the file is opened.
CREATE TABLE IF NOT EXISTS drawn (
    visitor   TEXT NOT NULL,
    id        TEXT NOT NULL,
    since     REAL NOT NULL,
    PRIMARY KEY (visitor, id)
);
CREATE INDEX IF NOT EXISTS drawn_since ON drawn (since);
-- The same with the hashes of the ids.
CREATE TABLE IF NOT EXISTS owner (
    id        TEXT PRIMARY KEY,
    visitor   TEXT NOT NULL,
    since     REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS owner_of ON owner (visitor, since);
CREATE INDEX IF NOT EXISTS owner_since ON owner (since);
"""
# What is deleted is overwritten too, and does not stay in the log that was written ahead.
MOVE_DRAWN = """
PRAGMA secure_delete = ON;
BEGIN IMMEDIATE;
INSERT OR IGNORE INTO owner SELECT id, visitor_hash(visitor), since FROM drawn ORDER BY since;
DELETE FROM drawn;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
"""


log = logging.getLogger(__name__)


class NotKept(Exception):  # noqa: N818  it reads as what happened
    """The outbox's file cannot be written or read: a full disk, a folder that is read-only or gone."""


class Outbox:
    """One file, shared by the page's threads and the deliverer. Every method raises NotKept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = (
            None  # opened by the first use, and again after a failure
        )
        self._opened: tuple[int, int] | None = None
        self._relabelled: OrderedDict[UUID, Record] = OrderedDict()

    def put(self, record: Record) -> Record:
        """Keep a record; of two of one drawing the newer revision stays, and a label is never taken back.

        Only the visitor who drew a drawing changes it: another's record is kept as a drawing of its own, under another
        id. Returns what is kept, which is on disk then.
        """
        with self._transaction("IMMEDIATE") as connection:
            if _is_foreign(connection, record):
                record = record.under_own_id()
            self._put(connection, record)
            _own(connection, record)
        return record

    def drawn_by(self, visitor: str) -> list[UUID]:
        """The drawings of a visitor, known by the hash of their id, the newest first."""
        with self._transaction("DEFERRED") as connection:
            rows = connection.execute(
                "SELECT id FROM owner WHERE visitor = ? ORDER BY since DESC LIMIT ?", (visitor, MOST_DRAWN)
            )
            return [UUID(drawing_id) for (drawing_id,) in rows]

    def label(
        self,
        drawing_id: UUID,
        digit: int,
        delivered: Callable[[], Record | None],
        visitor: str | None = None,
        at: datetime | None = None,
    ) -> Record | None:
        """Keep a label given `at` a time, by default now, for a drawing that no session shows. Returns the row with it,
        or with a newer one that it had; None when there is no such row.

        With the hash of a visitor's id only for a drawing of theirs. An operator, who is none, labels every drawing.

        `delivered` asks the database for the row, while nobody is kept from the outbox. A record leaves the outbox only
        when the database has it, so one of the three looks finds the newest revision.
        """
        before, row = self.waiting([drawing_id]), delivered()
        with self._transaction("IMMEDIATE") as connection:
            if visitor is not None and _owner(connection, drawing_id) != visitor:
                return None
            rows = [*before, *([row] if row else []), *_waiting(connection, [drawing_id])]
            if not rows:
                return None
            labelled = max(rows, key=lambda record: record.revision).add_label(digit, at)
            self._put(connection, labelled)
        self._relabelled[drawing_id] = labelled
        if len(self._relabelled) > MOST_RELABELLED:
            self._relabelled.popitem(last=False)
        return labelled

    def relabelled(self, drawing_id: UUID) -> Record | None:
        """The row of a drawing that `label` labelled, for the session that drew it: it would not know otherwise."""
        return self._relabelled.get(drawing_id)

    def waiting(self, ids: Sequence[UUID]) -> list[Record]:
        """Those of the drawings named that the database does not have yet, or not in this revision."""
        with self._transaction("DEFERRED") as connection:
            return _waiting(connection, ids)

    def oldest(self, limit: int) -> list[Record]:
        """Up to `limit` records, the longest waiting first. Those that cannot be read are set aside, as by `reject`."""
        while True:
            with self._transaction("DEFERRED") as connection:
                rows = connection.execute(f"SELECT {ROW} FROM waiting ORDER BY since LIMIT ?", (limit,))  # noqa: S608
                records, unreadable = _read(rows)
            if not unreadable:
                return records
            self._set_aside(unreadable)

    def delivered(self, records: Sequence[Record]) -> None:
        """Forget records that the database has, unless a newer revision came meanwhile."""
        with self._transaction("IMMEDIATE") as connection:
            connection.executemany(
                "DELETE FROM waiting WHERE id = ? AND revision = ?",
                [(str(record.id), record.revision) for record in records],
            )

    def give_own_ids(self, records: Sequence[Record]) -> None:
        """Go on under other ids with records whose drawings are another visitor's in the database."""
        with self._transaction("IMMEDIATE") as connection:
            for record in _waiting(connection, [record.id for record in records]):
                connection.execute("DELETE FROM waiting WHERE id = ?", (str(record.id),))
                own = record.under_own_id()
                self._put(connection, own)
                _own(connection, own)

    def reject(self, record: Record, reason: str) -> None:
        """Set aside a record that the database will never take, so that the others go on; it is not lost."""
        with self._transaction("IMMEDIATE") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO rejected VALUES (?, ?, ?, ?, ?)",
                (str(record.id), record.revision, record.to_json(), record.drawing, reason),
            )
            connection.execute(
                "DELETE FROM waiting WHERE id = ? AND revision = ?", (str(record.id), record.revision)
            )

    def _set_aside(self, unreadable: Mapping[int, str]) -> None:
        """The same for rows that hold no record, by their numbers, each with the reason: they are kept as they are."""
        with self._transaction("IMMEDIATE") as connection:
            for row, reason in unreadable.items():
                connection.execute(
                    """
                    INSERT OR REPLACE INTO rejected
                    SELECT coalesce(id, ''), revision, record, drawing, ? FROM waiting WHERE rowid = ?
                    """,
                    (reason, row),
                )
                connection.execute("DELETE FROM waiting WHERE rowid = ?", (row,))
        for reason in unreadable.values():
            log.error("a row of the outbox was rejected and set aside: %s", reason)

    def waiting_seconds(self) -> float:
        """How long the oldest record has been waiting; 0 when none is."""
        with self._transaction("DEFERRED") as connection:
            [(since,)] = connection.execute("SELECT min(since) FROM waiting")
            return 0.0 if since is None else max(0.0, time.time() - since)

    def close(self) -> None:
        """Give back the file; a later use opens it again."""
        with self._lock:
            self._close()

    def _put(self, connection: sqlite3.Connection, record: Record) -> None:
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

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._not_kept(), ExitStack() as held:
            try:
                connection = self._connected(held)
                connection.execute(f"BEGIN {kind}")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self._close()  # which rolls back
                held.close()
                if damage.is_damage(error):
                    self._replace(error)
                raise

    @contextmanager
    def _not_kept(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, damage.Damaged) as error:
            raise NotKept(f"The outbox '{self._path}' cannot be used: {error}.") from error

    def _connected(self, held: ExitStack) -> sqlite3.Connection:
        """A connection to the file at the path. Until `held` ends, no other process replaces that."""
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        held.enter_context(damage.shared(self._path))
        try:
            return self._current()
        except (sqlite3.Error, damage.Damaged) as error:
            if not damage.is_damage(error):
                raise
            held.close()
            self._replace(error)
        held.enter_context(damage.shared(self._path))
        return self._current()

    def _current(self) -> sqlite3.Connection:
        if self._connection is None or damage.identity(self._path) != self._opened:
            self._close()
            self._opened = damage.identity(self._path)
            self._connection = self._open()
            self._opened = damage.identity(self._path)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if damage.half_replaced(self._path):
            raise damage.Damaged("a process was killed while it replaced the outbox")
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            damage.check(connection, self._path)
            connection.executescript(SCHEMA)
            if connection.execute("SELECT 1 FROM drawn LIMIT 1").fetchone():
                connection.create_function("visitor_hash", 1, visitor_hash)
                connection.executescript(MOVE_DRAWN)
        except BaseException:  # it is no database, or damaged
            connection.close()
            raise
        return connection

    def _replace(self, error: BaseException) -> None:
        damage.replace_damaged(self._path, self._opened, SCHEMA, str(error))

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _waiting(connection: sqlite3.Connection, ids: Sequence[UUID]) -> list[Record]:
    records, _ = _read(
        connection.execute(
            f"SELECT {ROW} FROM waiting WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (json.dumps([str(drawing_id) for drawing_id in ids]),),
        )
    )
    return records


def _owner(connection: sqlite3.Connection, drawing_id: UUID) -> str | None:
    row = connection.execute("SELECT visitor FROM owner WHERE id = ?", (str(drawing_id),)).fetchone()
    return row[0] if row else None


def _own(connection: sqlite3.Connection, record: Record) -> None:
    if record.visitor is not None:
        now = time.time()
        connection.execute("DELETE FROM owner WHERE since < ?", (now - DRAWN_KEPT_S,))
        connection.execute(
            "INSERT OR IGNORE INTO owner VALUES (?, ?, ?)", (str(record.id), record.visitor, now)
        )


def _is_foreign(connection: sqlite3.Connection, record: Record) -> bool:
    """Whether the drawing of that id is another visitor's."""
    [(foreign,)] = connection.execute(
        """
        SELECT EXISTS (SELECT 1 FROM owner WHERE id = :id AND visitor IS NOT :visitor)
            OR EXISTS (SELECT 1 FROM waiting WHERE id = :id AND json_extract(record, '$.visitor') IS NOT :visitor)
        """,
        {"id": str(record.id), "visitor": record.visitor},
    )
    return bool(foreign)


def _read(rows: Iterable[tuple[Any, ...]]) -> tuple[list[Record], dict[int, str]]:
    """The records in rows of ROW, and for those that hold none the number of the row and the reason."""
    records, unreadable = [], {}
    for number, drawing_id, revision, text, drawing in rows:
        try:
            record = Record.from_json(text, drawing)
        except UnreadableError as error:
            reason = " ".join(str(error).split())[:LONGEST_REASON]
            unreadable[number] = f"the record of drawing {drawing_id} cannot be read: {reason}"
            continue
        if (str(record.id), record.revision) == (drawing_id, revision):
            records.append(record)
        else:
            unreadable[number] = f"the record of drawing {drawing_id} is that of another row"
    return records, unreadable
