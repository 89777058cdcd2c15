"""Copies the readable rows of a damaged SQLite file to a new file.

    counts = salvage(path, new, schema)    # {"waiting": 12, "rejected": 0, "owner": 40}

SQLite changes a file that it opens, so this works on a copy. A row is readable if its values have the types of their
columns and its record has its id.
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
# SQLite's default.
PAGE_BYTES = 4096
# The first byte of a page with rows of a table (SQLite's file format, section 1.6).
LEAF = 0x0D
# A scan ends at an unreadable row. After the last readable row the search would continue through all 2^63 rowids. This
# limit ends it after 0.1 s (one AMD EPYC core).
MOST_SCANS = 5_000


def salvage(path: Path, new: Path, schema: str) -> dict[str, int]:
    """Write the readable rows of the file at `path` to `new`; returns their number by table.

    Raises OSError or sqlite3.Error if `new` cannot be written.
    """
    copy = add_suffix(path, ".copy")
    _remove(new)  # left by a killed process
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
            for damaged, missing in _attempts(path, copy, empty, counts):
                for table in missing:
                    counts[table] += _copy_rows(damaged, connection, table)
            connection.execute("COMMIT")
    finally:
        _remove(copy)
    return counts


def add_suffix(path: Path, suffix: str) -> Path:
    """The path with `suffix` after its whole name."""
    return path.with_name(path.name + suffix)


def _attempts(
    path: Path, copy: Path, empty: bytes, counts: Mapping[str, int]
) -> Iterator[tuple[sqlite3.Connection, Collection[str]]]:
    """Connections to the damaged file, each with the tables to read through it.

    1. The file as it is. 2. With the first page of an empty outbox, which has the same tables at the same pages: SQLite
    finds no table without a first page. 3. For a table without a root page: each page with rows as its root page.
    """
    _copy_file(path, copy)
    with closing(_connect(copy)) as damaged:
        yield damaged, counts
    _copy_file(path, copy)
    _replace_first_page(copy, empty)
    with closing(_connect(copy)) as damaged:
        yield damaged, counts
        missing = [table for table, count in counts.items() if count == 0 and not _has_root(damaged, table)]
        for page in _leaf_pages(copy) if missing else ():
            _set_root(damaged, missing, page)
            yield damaged, missing


def _copy_file(path: Path, copy: Path) -> None:
    _remove(copy)
    for suffix in ("", "-wal"):
        if add_suffix(path, suffix).exists():
            shutil.copyfile(add_suffix(path, suffix), add_suffix(copy, suffix))


def _remove(path: Path) -> None:
    for suffix in (*COMPANIONS, "-journal"):
        add_suffix(path, suffix).unlink(missing_ok=True)


def _replace_first_page(copy: Path, empty: bytes) -> None:
    page, size = bytearray(empty[:PAGE_BYTES]), max(copy.stat().st_size, len(empty))
    page[28:32] = (size // PAGE_BYTES).to_bytes(4, "big")  # file size in pages
    with copy.open("r+b") as file:
        file.write(page)
        file.truncate(size)  # the root pages of all tables and indexes must exist


def _connect(copy: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(copy, isolation_level=None)
    with contextlib.suppress(sqlite3.DatabaseError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # write the log's pages to the file
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA writable_schema = ON")
    return connection


def _has_root(damaged: sqlite3.Connection, table: str) -> bool:
    try:
        damaged.execute(f"SELECT rowid FROM {table} NOT INDEXED LIMIT 1").fetchall()  # noqa: S608
    except sqlite3.DatabaseError:
        return False
    return True


def _leaf_pages(copy: Path) -> list[int]:
    """The numbers of the pages with rows; the first page is 1."""
    data = copy.read_bytes()
    return [
        offset // PAGE_BYTES + 1
        for offset in range(PAGE_BYTES, len(data), PAGE_BYTES)
        if data[offset] == LEAF
    ]


def _set_root(damaged: sqlite3.Connection, tables: Sequence[str], page: int) -> None:
    places = ", ".join("?" * len(tables))
    damaged.execute(f"UPDATE sqlite_schema SET rootpage = ? WHERE name IN ({places})", (page, *tables))  # noqa: S608
    [(version,)] = damaged.execute("PRAGMA schema_version")
    damaged.execute(f"PRAGMA schema_version = {version + 1}")  # makes SQLite read the schema again


def _copy_rows(damaged: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    old = _columns(damaged, table)  # of an earlier release perhaps without newer columns
    columns = {name: kind for name, kind in _columns(new, table).items() if name in old}
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    count = 0
    for row in _rows(damaged, table, list(columns)):
        if _is_valid(dict(zip(columns, row, strict=True)), columns):
            added = new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)  # noqa: S608
            count += added.rowcount
    return count


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The types of a table's columns, by name; empty if SQLite does not find the table."""
    try:
        return {name: kind for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")}
    except sqlite3.DatabaseError:
        return {}


def _rows(damaged: sqlite3.Connection, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Each readable row. After an error: a scan from the other end, then the range between the errors in halves."""
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


def _is_valid(row: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    """Whether the outbox wrote this row, rather than noise or another table's row."""
    try:
        UUID(row["id"])
        if "record" in row and json.loads(row["record"])["id"] != row["id"]:
            return False
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False
    return all(isinstance(row[name], TYPES[kind]) for name, kind in kinds.items())
