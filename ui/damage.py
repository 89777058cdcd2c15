"""Damage of the outbox's file: detection, and replacement by one of the processes that detect it.

    with lock(path, fcntl.LOCK_SH):                       # around each transaction
        ...
    replace_damaged(path, identity(path), SCHEMA, error)  # ui/salvage.py fills the new file

A failing disk, an incomplete copy or another program damages the file; a killed process does not. A full disk, a locked
file and a missing permission are not damage: they are temporary.
"""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ui.salvage import COMPANIONS, add_suffix, salvage

LOCK_TIMEOUT_S = 5.0
LOCK_POLL_S = 0.01
# The check takes 0.1 s for 85 MiB (one AMD EPYC core). Every start and health check waits for it.
MOST_CHECKED_BYTES = 100 * 2**20
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# SQLite has no error code for a damaged value.
DAMAGE_MESSAGES = ("malformed JSON", "Could not decode to UTF-8")
NEW = ".new"
# An error message may quote a whole record.
LONGEST_REASON = 200

log = logging.getLogger("ui.outbox")


class DamageError(Exception):
    """The check of the file found damage."""


def is_damage(error: BaseException) -> bool:
    """Whether an error reports damaged content rather than a temporary failure."""
    if isinstance(error, sqlite3.DatabaseError):
        # The low byte of an extended error code is the primary code.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in DAMAGE_CODES or str(error).startswith(DAMAGE_MESSAGES)
    return isinstance(error, DamageError)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DamageError or sqlite3.DatabaseError if the file's structure is damaged."""
    if path.stat().st_size <= MOST_CHECKED_BYTES:
        [(found,)] = connection.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise DamageError(found)


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file at a path, which change with its replacement; None without a file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def is_half_replaced(path: Path) -> bool:
    """Whether a process was killed between the two steps of a replacement: old file aside, new file in place."""
    return not path.exists() and add_suffix(path, NEW).exists()


def shorten(error: object) -> str:
    """The message of an error in one line of bounded length."""
    return " ".join(str(error).split())[:LONGEST_REASON]


@contextmanager
def lock(path: Path, kind: int) -> Iterator[None]:
    """Hold a lock: LOCK_SH to use the file, LOCK_EX to replace it. Raises OSError after LOCK_TIMEOUT_S."""
    descriptor = os.open(add_suffix(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def replace_damaged(path: Path, damaged: tuple[int, int] | None, schema: str, reason: object) -> None:
    """Set the damaged file aside and replace it by a new file with its readable rows.

    `damaged` is the identity of the damaged file: does nothing if another process replaced that file already. Raises
    OSError or sqlite3.Error, for example for a full disk, and leaves the damaged file in place then.
    """
    with lock(path, fcntl.LOCK_EX):
        if is_half_replaced(path):
            rows = "those that a killed process had read"
        elif identity(path) == damaged:
            counts = salvage(path, add_suffix(path, NEW), schema)
            rows = ", ".join(f"{table} {count}" for table, count in counts.items())
        else:
            return
        aside = _free_name(path)
        # The database file first: SQLite applies a -wal file to whatever database has its name.
        for suffix in COMPANIONS:
            if add_suffix(path, suffix).exists():
                add_suffix(path, suffix).rename(add_suffix(aside, suffix))
        add_suffix(path, NEW).replace(path)
        _sync_folder(path.parent)
    message = "the outbox was damaged (%s) and is set aside as '%s'; rows that could be read: %s"
    log.error(message, shorten(reason), aside, rows)


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (add_suffix(path, f".damaged-{stamp}{more}") for more in ("", *(f"-{n}" for n in range(2, 100))))
    return next(name for name in names if not name.exists())


def _sync_folder(folder: Path) -> None:
    """Write the folder's file names to disk, before any data goes to the new file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
