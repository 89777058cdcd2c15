"""Database: the log, History and Insights in PostgreSQL, with an empty table and with 1,000,000 drawings.

Each time includes the statement, its transaction and the transfer of the result to a client on the same machine.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle
from typing import Any, LiteralString, TypeAlias

import psycopg

from benchmarks import running
from benchmarks.figures import median, percentile, summarize, time_each
from benchmarks.records import ANSWER, make_record
from benchmarks.results import Results, Table
from benchmarks.running import say
from fixtures import million_rows
from fixtures.canvas_png import canvases
from ops.data import prune, secrets
from ops.native import postgres
from ops.system import System
from ui import history, insights
from ui.history import Cursor, Filters
from ui.record import UPSERT, Record

ROWS = 1_000_000
DAYS = 100  # so that `make prune` of one day more removes 10,000
DRAWINGS = 500
BATCH = 50  # rows of a delivery
BATCHES = 40
READS = 100
PRUNES = 10
OF_ONE_VISITOR = 1_000

Connection: TypeAlias = psycopg.Connection[Any]
Times: TypeAlias = dict[str, list[float]]


@dataclass(frozen=True)
class Measured:
    """Milliseconds by operation."""

    size: str  # of the filled database
    empty: Times
    full: Times
    pages: Times
    counts: Times
    pruned: list[float]
    removed: list[int]  # drawings of each prune


def measure() -> Results:
    """Start PostgreSQL, fill it, and return the tables."""
    with (
        running.database() as system,
        psycopg.connect(postgres.owner_url(system), autocommit=True) as owner,
        _connect_as_page(system) as page,
    ):
        say("writing into an empty table ...")
        empty = _writes(page)
        owner.execute("TRUNCATE predictions, insights")
        say(f"filling {ROWS:,} rows ...")
        newest = datetime.now(UTC)
        begun = time.monotonic()
        million_rows.fill(owner, ROWS, newest, timedelta(days=DAYS) / ROWS)
        owner.execute("CHECKPOINT")
        [(size,)] = owner.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchall()
        say(f"filled in {time.monotonic() - begun:.0f} s, {size}")
        pages, counts, full = _pages(page, newest), _counts(page), _writes(page)
        say("pruning ...")
        pruned, removed = _prunes(system)
    return _results(Measured(size, empty, full, pages, counts, pruned, removed))


def _connect_as_page(system: System) -> Connection:
    password = secrets.read(system, "database_page_password")
    return psycopg.connect(postgres.role_url(system), password=password, autocommit=True)


def _writes(page: Connection) -> Times:
    """Milliseconds of each transaction of the deliverer, by its content."""
    drawings = _drawings()
    records = [next(drawings) for _ in range(DRAWINGS)]
    strokes = [replace(record, revision=2) for record in records]
    labels = [record.add_label(7) for record in strokes]
    batches = [[next(drawings) for _ in range(BATCH)] for _ in range(BATCHES)]
    return {
        "a new drawing": time_each(lambda record: _upsert(page, [record]), records),
        "another stroke of it": time_each(lambda record: _upsert(page, [record]), strokes),
        "its label": time_each(lambda record: _upsert(page, [record]), labels),
        f"{BATCH} new drawings at once": time_each(lambda batch: _upsert(page, batch), batches),
    }


def _drawings() -> Iterator[Record]:
    """Different drawings with different answers."""
    for number, png in enumerate(cycle(canvases())):
        answer = {"prediction": number % 10, "confidence": 0.9 + number % 10 / 100, "digit_score": 0.9}
        yield make_record(png, {**ANSWER, **answer}, latency_ms=5.0 + number % 20)


def _upsert(page: Connection, records: list[Record]) -> None:
    with page.transaction(), page.cursor() as cursor:
        cursor.executemany(UPSERT, [asdict(record) for record in records])


def _pages(page: Connection, newest: datetime) -> Times:
    """Milliseconds of a page of History by filter: 50 drawings and one of the next page."""
    middle = newest - timedelta(days=DAYS / 2)
    [deep] = history.newest(page, Filters(until=middle), limit=1)
    week = Filters(since=middle - timedelta(days=7), until=middle)
    queries: dict[str, tuple[Filters, Cursor | None]] = {
        "the newest": (Filters(), None),
        f"{ROWS // 2:,} drawings deep": (Filters(), Cursor.at(deep)),
        "the same, towards newer ones": (Filters(), Cursor.at(deep, newer=True)),
        "one digit": (Filters(digit=3), None),
        "one version": (Filters(version="1.1"), None),
        "wrong only": (Filters(labels="wrong"), None),
        "unlabelled": (Filters(labels="unlabelled"), None),
        "no digit": (Filters(no_digit=True), None),
        "a week": (week, None),
        "all of these at once": (replace(week, digit=3, version="1.1", labels="wrong", no_digit=True), None),
        "wrong and no digit, deep": (Filters(labels="wrong", no_digit=True), Cursor.at(deep)),
        "a version that answered three times": (Filters(version="0.1"), None),
    }
    times = {
        name: _repeat(partial(history.newest, page, filters, cursor))
        for name, (filters, cursor) in queries.items()
    }
    ids = page.execute("SELECT id FROM predictions TABLESAMPLE SYSTEM (1) LIMIT %s", [OF_ONE_VISITOR])
    own = [row[0] for row in ids.fetchall()]
    times[f"of a visitor with {len(own):,} drawings"] = _repeat(
        lambda: history.newest(page, Filters(ids=own))
    )
    return times


def _counts(page: Connection) -> Times:
    """Milliseconds of Insights and of each of its queries."""
    every = {"since": None, "version": None}
    queries = {
        "answers by day": insights.ANSWERS_BY_DAY,
        "answers and labels": insights.ANSWERS,
        "confidences": insights.CONFIDENCES,
        "latencies": insights.LATENCIES,
        "versions to choose from": history.VERSIONS,
    }
    return {
        "all of Insights": _repeat(lambda: insights.insights(page)),
        "of one version": _repeat(lambda: insights.insights(page, version="1.1")),
        **{name: _repeat(partial(_fetch, page, query, every)) for name, query in queries.items()},
    }


def _fetch(page: Connection, query: LiteralString, values: dict[str, None]) -> list[Any]:
    return page.execute(query, values).fetchall()


def _prunes(system: System) -> tuple[list[float], list[int]]:
    """Milliseconds of `make prune` for successive days, and the numbers of removed drawings."""
    times, removed = [], []
    for days in range(DAYS - 1, DAYS - 1 - PRUNES, -1):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            times += time_each(lambda oldest: prune.prune(system, oldest), [days])
        removed.append(int(output.getvalue().split()[1]))  # "Removed 10000 drawings older than ..."
    return times, removed


def _repeat(read: Callable[[], Any]) -> list[float]:
    read()  # so that the blocks are in memory
    return time_each(lambda _: read(), range(READS))


def _results(measured: Measured) -> Results:
    read = ["", "p50 ms", "p99 ms", "n"]
    tables = [
        Table(
            "The log",
            ["", "empty: p50 ms", "p99 ms", f"{ROWS:,} rows: p50 ms", "p99 ms", "n"],
            [
                [name, *summarize(measured.empty[name])[:2], *summarize(times)]
                for name, times in measured.full.items()
            ],
            "One transaction of the deliverer's upsert, which returns when the rows are on disk.",
        ),
        Table(
            "A page of History", read, [[name, *summarize(times)] for name, times in measured.pages.items()]
        ),
        Table("Insights", read, [[name, *summarize(times)] for name, times in measured.counts.items()]),
        Table(
            "Pruning",
            read,
            [[f"`make prune` of {median(measured.removed):,.0f} drawings", *summarize(measured.pruned)]],
            f"Includes the connection; the transactions delete {prune.BATCH:,} drawings each.",
        ),
    ]
    summary = (
        f"A separate PostgreSQL with the configuration of `make up` (32 MB of shared buffers) and {ROWS:,} drawings of "
        f"{DAYS} days: {measured.size} with indexes. The times are those of one client on the same machine; every "
        "query ran once before."
    )
    numbers = {
        "rows": ROWS,
        "size": measured.size,
        "log_empty": _summary(measured.empty),
        "log_full": _summary(measured.full),
        "history": _summary(measured.pages),
        "insights": _summary(measured.counts),
        "prune": {**_summary({"ms": measured.pruned}), "removed": measured.removed},
    }
    return Results("database", summary, tables, numbers)


def _summary(times: Times) -> dict[str, dict[str, float]]:
    return {
        name: {"p50_ms": round(median(each), 3), "p99_ms": round(percentile(each, 99), 3), "n": len(each)}
        for name, each in times.items()
    }
