"""The rows of a damaged SQLite file that can still be read, in a new file.

    counts = salvage(path, new, schema)    # {"waiting": 12, "rejected": 0, "owner": 40}

It works on a copy, because SQLite changes a file that it opens. A row counts as read if its values have the types of
their columns and its record is that of its id.
"""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

COMPANIONS = ("", "-wal", "-shm")
TYPES = {"TEXT": str, "INTEGER": int, "REAL": float, "BLOB": bytes}
# SQLite's default, with which the outbox was made.
PAGE_BYTES = 4096
# The first byte of a page that holds rows of a table (SQLite's file format, 1.6).
LEAF = 0x0D
# A scan of a table ends at a row that cannot be read. When that is the last one, its number is unknown, and the search
# for rows after it would not end by itself. It ends after 0.1 s (one AMD EPYC core).
MOST_SCANS = 5_000


def salvage(path: Path, new: Path, schema: str) -> dict[str, int]:
    """Write the rows of the file at `path` that can be read to `new`; how many of each table. Raises OSError and
    sqlite3.Error where that cannot be written.
    """
    copy = beside(path, ".copy")
    _remove(new)  # of an attempt that was killed
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(schema)
            empty = new.read_bytes()
            tables = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            ]
            counts = dict.fromkeys(tables, 0)
            connection.execute("BEGIN")
            for damaged, lost in _attempts(path, copy, empty, counts):
                for table in lost:
                    counts[table] += _transfer(damaged, connection, table)
            connection.execute("COMMIT")
    finally:
        _remove(copy)
    return counts


def beside(path: Path, suffix: str) -> Path:
    """The path with something after its name."""
    return path.with_name(path.name + suffix)


def _attempts(
    path: Path, copy: Path, empty: bytes, counts: Mapping[str, int]
) -> Iterator[tuple[sqlite3.Connection, Collection[str]]]:
    """Connections to what is left of the file, each with the tables to read from it."""
    _copy(path, copy)
    with closing(_connect(copy)) as damaged:
        yield damaged, counts
    # Without its first page nothing of a file is found. That of an empty outbox has the tables at the same places.
    _copy(path, copy)
    _put_first_page(copy, empty)
    with closing(_connect(copy)) as damaged:
        yield damaged, counts
        # Without its top page nothing of a table is found: each page with rows is read as if it were the top.
        lost = [table for table, count in counts.items() if count == 0 and not _begins(damaged, table)]
        for page in _leaves(copy) if lost else ():
            _move_tables(damaged, lost, page)
            yield damaged, lost


def _copy(path: Path, copy: Path) -> None:
    _remove(copy)
    for suffix in ("", "-wal"):
        if beside(path, suffix).exists():
            shutil.copyfile(beside(path, suffix), beside(copy, suffix))


def _remove(path: Path) -> None:
    for suffix in (*COMPANIONS, "-journal"):
        beside(path, suffix).unlink(missing_ok=True)


def _put_first_page(copy: Path, empty: bytes) -> None:
    page, size = bytearray(empty[:PAGE_BYTES]), max(copy.stat().st_size, len(empty))
    page[28:32] = (size // PAGE_BYTES).to_bytes(4, "big")  # the file's size in pages
    with copy.open("r+b") as file:
        file.write(page)
        file.truncate(size)  # every table and index that the first page names begins within the file


def _connect(copy: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(copy, isolation_level=None)
    with contextlib.suppress(sqlite3.DatabaseError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the pages of the log go into the file
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA writable_schema = ON")
    return connection


def _begins(damaged: sqlite3.Connection, table: str) -> bool:
    try:
        damaged.execute(f"SELECT rowid FROM {table} NOT INDEXED LIMIT 1").fetchall()  # noqa: S608
    except sqlite3.DatabaseError:
        return False
    return True


def _leaves(copy: Path) -> list[int]:
    """The numbers of the pages with rows; the first page has 1."""
    data = copy.read_bytes()
    return [
        place // PAGE_BYTES + 1 for place in range(PAGE_BYTES, len(data), PAGE_BYTES) if data[place] == LEAF
    ]


def _move_tables(damaged: sqlite3.Connection, tables: Sequence[str], page: int) -> None:
    """Have SQLite take a page for the top of these tables."""
    places = ", ".join("?" * len(tables))
    damaged.execute(f"UPDATE sqlite_schema SET rootpage = ? WHERE name IN ({places})", (page, *tables))  # noqa: S608
    [(version,)] = damaged.execute("PRAGMA schema_version")
    damaged.execute(f"PRAGMA schema_version = {version + 1}")  # read the schema anew


def _transfer(damaged: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    old = _columns(damaged, table)  # a file of an earlier version may have fewer
    columns = {name: kind for name, kind in _columns(new, table).items() if name in old}
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    count = 0
    for row in _rows(damaged, table, list(columns)):
        if _is_whole(dict(zip(columns, row, strict=True)), columns):
            added = new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)  # noqa: S608
            count += added.rowcount
    return count


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The types of a table's columns by name; none if the table is not found."""
    try:
        return {name: kind for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return {}


def _rows(damaged: sqlite3.Connection, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Each row that can be read. An error ends a scan: then from the other end, then in halves what lies between."""
    if not columns:
        return
    scan = f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ? ORDER BY rowid"  # noqa: S608
    ranges = [(-(2**63), 2**63 - 1)]
    for _ in range(MOST_SCANS):
        if not ranges:
            return
        first, last = ranges.pop()
        below, above = first - 1, last + 1
        try:
            for rowid, *row in damaged.execute(scan, (first, last)):
                below = rowid
                yield tuple(row)
            continue
        except sqlite3.DatabaseError:
            pass
        with contextlib.suppress(sqlite3.DatabaseError):
            for rowid, *row in damaged.execute(f"{scan} DESC", (below + 1, last)):
                above = rowid
                yield tuple(row)
        if above - below > 2:
            middle = (below + above) // 2
            ranges += [(middle + 1, above - 1), (below + 1, middle)]  # the lower half next


def _is_whole(row: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    """Whether the values of a row are what the outbox wrote, and not another table's or noise."""
    try:
        UUID(row["id"])
        if "record" in row and json.loads(row["record"])["id"] != row["id"]:
            return False
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False
    return all(isinstance(row[name], TYPES[kind]) for name, kind in kinds.items())
