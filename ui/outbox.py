"""The outbox: answers and labels on local disk, until the database has them.

What is shown was written here before. SQLite in WAL mode with full synchronisation: neither a killed process nor a
power cut loses a record, and the page never waits for the database.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ui.record import Record

BUSY_TIMEOUT_S = 5.0

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
"""


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

    def put(self, record: Record) -> None:
        """Keep a record; of two of one drawing the newer revision stays, and a label is never taken back.

        On disk when this returns.
        """
        with self._transaction("IMMEDIATE") as connection:
            connection.execute(
                """
                INSERT INTO waiting (id, revision, record, drawing, since) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE
                SET revision = excluded.revision, record = excluded.record, drawing = excluded.drawing
                WHERE excluded.revision > waiting.revision AND (
                    json_extract(excluded.record, '$.true_label') IS NOT NULL
                    OR json_extract(waiting.record, '$.true_label') IS NULL
                )
                """,
                (str(record.id), record.revision, record.to_json(), record.drawing, time.time()),
            )

    def oldest(self, limit: int) -> list[Record]:
        """Up to `limit` records, the longest waiting first."""
        with self._transaction("DEFERRED") as connection:
            rows = connection.execute("SELECT record, drawing FROM waiting ORDER BY since LIMIT ?", (limit,))
            return [Record.from_json(text, drawing) for text, drawing in rows]

    def delivered(self, records: Sequence[Record]) -> None:
        """Forget records that the database has, unless a newer revision came meanwhile."""
        with self._transaction("IMMEDIATE") as connection:
            connection.executemany(
                "DELETE FROM waiting WHERE id = ? AND revision = ?",
                [(str(record.id), record.revision) for record in records],
            )

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

    def waiting_seconds(self) -> float:
        """How long the oldest record has been waiting; 0 when none is."""
        with self._transaction("DEFERRED") as connection:
            [(since,)] = connection.execute("SELECT min(since) FROM waiting")
            return 0.0 if since is None else max(0.0, time.time() - since)

    def close(self) -> None:
        """Give back the file; a later use opens it again."""
        with self._lock:
            self._close()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                self._connection.execute(f"BEGIN {kind}")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                self._close()  # which rolls back
                if isinstance(error, (sqlite3.Error, OSError)):
                    raise NotKept(f"The outbox '{self._path}' cannot be used: {error}.") from error
                raise

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(SCHEMA)
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
