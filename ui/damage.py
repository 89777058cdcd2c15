"""A damaged outbox: how it is noticed, and how one of the processes that notice replaces it.

    with shared(path):                                    # around each transaction
        ...
    replace_damaged(path, identity(path), SCHEMA, why)    # ui/salvage.py fills the new file

A killed process does not damage the file; a failing disk, half a copy or another program can. A full disk, a lock and a
missing permission are no damage: they pass.
"""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ui.salvage import COMPANIONS, beside, salvage

LOCK_TIMEOUT_S = 5.0
LOCK_POLL_S = 0.01
# The check takes 0.1 s for 85 MiB (one AMD EPYC core), and every start and health check waits for it.
MOST_CHECKED_BYTES = 100 * 2**20
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# Of a value, not of the file's structure: SQLite gives these no code of their own.
DAMAGED_VALUES = ("malformed JSON", "Could not decode to UTF-8")
NEW = ".new"
LONGEST_REASON = 200

log = logging.getLogger("ui.outbox")


class Damaged(Exception):  # noqa: N818  it reads as what happened
    """The check of the file found damage."""


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file's content is damaged, and not that it cannot be used just now."""
    if isinstance(error, sqlite3.DatabaseError):
        # The low byte of an extended code is its kind.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in DAMAGED or str(error).startswith(DAMAGED_VALUES)
    return isinstance(error, Damaged)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise Damaged, or sqlite3.DatabaseError, if the file's structure is damaged."""
    if path.stat().st_size <= MOST_CHECKED_BYTES:
        [(found,)] = connection.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise Damaged(found)


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at the path, None for none: it changes when another process replaces it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def half_replaced(path: Path) -> bool:
    """Whether a process was killed after it had set the file aside, and before the new one was in its place."""
    return not path.exists() and beside(path, NEW).exists()


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Keep the file at the path in its place: while anyone is within, nobody replaces it. Raises OSError."""
    with _locked(path, fcntl.LOCK_SH):
        yield


def replace_damaged(path: Path, damaged: tuple[int, int] | None, schema: str, why: str) -> None:
    """Set the damaged file aside and put a new one with its readable rows in its place.

    `damaged` is the identity of the file that was found damaged; if another process replaced it meanwhile, nothing is
    done. `why` is for the log. Raises OSError or sqlite3.Error, for example for a full disk: the damaged file is then
    still in its place.
    """
    with _locked(path, fcntl.LOCK_EX):
        if half_replaced(path):
            found = "those that a killed process had read"
        elif identity(path) == damaged:
            counts = salvage(path, beside(path, NEW), schema)
            found = ", ".join(f"{table} {count}" for table, count in counts.items())
        else:
            return
        aside = _free_name(path)
        # The file first: while it is in its place, what is beside it belongs to it.
        for suffix in COMPANIONS:
            if beside(path, suffix).exists():
                beside(path, suffix).rename(beside(aside, suffix))
        beside(path, NEW).replace(path)
        _sync(path.parent)
    what = " ".join(why.split())[:LONGEST_REASON]  # one line, and not a whole record that it may quote
    log.error(
        "the outbox was damaged (%s) and is set aside as '%s'; rows that could be read: %s",
        what,
        aside,
        found,
    )


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    lock = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(lock)


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (beside(path, f".damaged-{stamp}{more}") for more in ("", *(f"-{n}" for n in range(2, 100))))
    return next(name for name in names if not name.exists())


def _sync(folder: Path) -> None:
    """Have the folder's names on disk, before anything is written to the new file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
