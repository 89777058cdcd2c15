"""The SQLite file of the outbox: its tables, and transactions that survive damage and replacement of the file.

WAL mode with full synchronisation: a committed transaction is on disk.
"""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ui import damage
from ui.visitor import hash_visitor

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
-- Owners of drawings in files of earlier releases, with visitors' ids in plain text. Moved to `owner` at the first use.
CREATE TABLE IF NOT EXISTS drawn (
    visitor   TEXT NOT NULL,
    id        TEXT NOT NULL,
    since     REAL NOT NULL,
    PRIMARY KEY (visitor, id)
);
CREATE INDEX IF NOT EXISTS drawn_since ON drawn (since);
-- Owners of drawings, by the hash of the visitor's id.
CREATE TABLE IF NOT EXISTS owner (
    id        TEXT PRIMARY KEY,
    visitor   TEXT NOT NULL,
    since     REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS owner_of ON owner (visitor, since);
CREATE INDEX IF NOT EXISTS owner_since ON owner (since);
"""
# secure_delete overwrites the deleted ids, and the checkpoint removes them from the write-ahead log.
MOVE_DRAWN = """
PRAGMA secure_delete = ON;
BEGIN IMMEDIATE;
INSERT OR IGNORE INTO owner SELECT id, hash_visitor(visitor), since FROM drawn ORDER BY since;
DELETE FROM drawn;
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
"""


class OutboxError(Exception):
    """The outbox's file cannot be read or written, for example because of a full disk or a read-only folder."""


class OutboxFile:
    """The file at a path, opened at the first use and after a failure. Threads share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, "DEFERRED" or "IMMEDIATE". Raises OutboxError.

        Damage found before the transaction is repaired first. Damage found during the transaction is repaired, too, but
        the transaction fails.
        """
        try:
            with self._lock, ExitStack() as file_lock:
                try:
                    connection = self._connect(file_lock)
                    connection.execute(f"BEGIN {kind}")
                    yield connection
                    connection.execute("COMMIT")
                except BaseException as error:
                    self._close()  # rolls back
                    file_lock.close()
                    if damage.is_damage(error):
                        damage.replace_damaged(self._path, self._identity, SCHEMA, error)
                    raise
        except (sqlite3.Error, OSError, damage.DamageError) as error:
            raise OutboxError(f"The outbox '{self._path}' cannot be used: {error}.") from error

    def close(self) -> None:
        """Close the connection; the next transaction opens it again."""
        with self._lock:
            self._close()

    def _connect(self, file_lock: ExitStack) -> sqlite3.Connection:
        """A connection to the file at the path. No process replaces this file before `file_lock` is closed."""
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        file_lock.enter_context(damage.lock(self._path, fcntl.LOCK_SH))
        try:
            return self._current_connection()
        except (sqlite3.Error, damage.DamageError) as error:
            if not damage.is_damage(error):
                raise
            file_lock.close()
            damage.replace_damaged(self._path, self._identity, SCHEMA, error)
        file_lock.enter_context(damage.lock(self._path, fcntl.LOCK_SH))
        return self._current_connection()

    def _current_connection(self) -> sqlite3.Connection:
        """The open connection, unless another process replaced its file."""
        if self._connection is None or damage.identity(self._path) != self._identity:
            self._close()
            self._identity = damage.identity(self._path)
            self._connection = self._open()
            self._identity = damage.identity(self._path)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if damage.is_half_replaced(self._path):
            raise damage.DamageError("a process was killed while it replaced the outbox")
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            damage.check(connection, self._path)
            connection.executescript(SCHEMA)
            if connection.execute("SELECT 1 FROM drawn LIMIT 1").fetchone():
                connection.create_function("hash_visitor", 1, hash_visitor)
                connection.executescript(MOVE_DRAWN)
        except BaseException:  # for example no database, or damaged
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _use_wal(connection: sqlite3.Connection) -> None:
    """Change to WAL mode: the only statement for which SQLite's own timeout does not wait for other connections."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(damage.LOCK_POLL_S)
        else:
            return
