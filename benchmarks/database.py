"""Database: the log, History and Insights in PostgreSQL, with no drawing in it and with 1,000,000.

Each time is what a caller on the same machine waits: the statement, its transaction and reading the answer.
"""

import contextlib
import io
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, TypeAlias

import psycopg

from benchmarks import million, running
from benchmarks.drawings import canvases
from benchmarks.figures import median, percentile, shown
from benchmarks.results import Results, Table
from benchmarks.running import say
from ops.data import prune, secrets
from ops.native import postgres
from ops.system import System
from ui import history, insights
from ui.history import Cursor, Filters
from ui.record import UPSERT, Record

ROWS = 1_000_000
DAYS = 100  # so that `make prune` of one day more removes 10,000
DRAWINGS = 500
BATCH = 50  # what the deliverer carries at once
BATCHES = 40
READS = 100
PRUNES = 10
OF_ONE_VISITOR = 1_000

Connection: TypeAlias = psycopg.Connection[Any]
Times: TypeAlias = dict[str, list[float]]


@dataclass(frozen=True)
class Measured:
    """Milliseconds, by what was done."""

    size: str  # of the whole database, filled
    empty: Times
    full: Times
    pages: Times
    counts: Times
    pruned: list[float]
    removed: list[int]  # drawings, by each prune


def measure() -> Results:
    """Starts a PostgreSQL, fills it, and gives back the tables."""
    with (
        running.database() as system,
        psycopg.connect(postgres.owner_url(system), autocommit=True) as owner,
        _connected_as_page(system) as page,
    ):
        say("writing into an empty table ...")
        empty = _writes(page)
        owner.execute("TRUNCATE predictions, insights")
        say(f"filling {ROWS:,} rows ...")
        newest = datetime.now(UTC)
        begun = time.monotonic()
        million.fill(owner, ROWS, newest, timedelta(days=DAYS) / ROWS)
        owner.execute("CHECKPOINT")
        [(size,)] = owner.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchall()
        say(f"filled in {time.monotonic() - begun:.0f} s, {size}")
        pages, counts, full = _pages(page, newest), _counts(page), _writes(page)
        say("pruning ...")
        pruned, removed = _prunes(system)
    return _results(Measured(size, empty, full, pages, counts, pruned, removed))


def _connected_as_page(system: System) -> Connection:
    password = secrets.read(system, "database_page_password")
    return psycopg.connect(postgres.role_url(system), password=password, autocommit=True)


def _writes(page: Connection) -> Times:
    """What the deliverer does: milliseconds of each transaction, by what it carried."""
    drawings = _drawings()
    kept = [next(drawings) for _ in range(DRAWINGS)]
    batches = [[next(drawings) for _ in range(BATCH)] for _ in range(BATCHES)]
    return {
        "a new drawing": _each(lambda record: _upsert(page, [record]), kept),
        "another stroke of it": _each(
            lambda record: _upsert(page, [replace(record, revision=2)]),
            kept,
        ),
        "its label": _each(
            lambda record: _upsert(page, [replace(record, revision=2).add_label(7)]),
            kept,
        ),
        f"{BATCH} new drawings at once": _each(lambda records: _upsert(page, records), batches),
    }


def _drawings() -> Iterator[Record]:
    """Drawings as the page makes them, each another."""
    for number, png in enumerate(cycle(canvases())):
        yield Record(
            id=uuid.uuid4(),
            created_at=datetime.now(UTC),
            prediction=number % 10,
            confidence=0.9 + number % 10 / 100,
            probabilities=[0.1] * 10,
            is_digit=True,
            digit_score=0.9,
            model_version="1.2",
            latency_ms=5.0 + number % 20,
            true_label=None,
            labelled_at=None,
            drawing=png,
            revision=1,
        )


def _upsert(page: Connection, records: list[Record]) -> None:
    with page.transaction(), page.cursor() as cursor:
        cursor.executemany(UPSERT, [asdict(record) for record in records])


def _pages(page: Connection, newest: datetime) -> Times:
    """A page of History by what is asked for: 50 drawings, and one more that tells of the next page."""
    middle = newest - timedelta(days=DAYS / 2)
    [deep] = history.newest(page, Filters(until=middle), limit=1)
    week = Filters(since=middle - timedelta(days=7), until=middle)
    asked: dict[str, tuple[Filters, Cursor | None]] = {
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
    times = {}
    for name, (filters, cursor) in asked.items():
        times[name] = _repeated(lambda f=filters, c=cursor: history.newest(page, f, c))  # type: ignore[misc]
    ids = page.execute("SELECT id FROM predictions TABLESAMPLE SYSTEM (1) LIMIT %s", [OF_ONE_VISITOR])
    own = [row[0] for row in ids.fetchall()]
    times[f"of a visitor with {len(own):,} drawings"] = _repeated(
        lambda: history.newest(page, Filters(ids=own))
    )
    return times


def _counts(page: Connection) -> Times:
    """Insights, and each of its queries."""
    every = {"since": None, "version": None}
    queries = {
        "answers by day": insights.ANSWERS_BY_DAY,
        "answers and labels": insights.ANSWERS,
        "confidences": insights.CONFIDENCES,
        "latencies": insights.LATENCIES,
        "versions to choose from": history.VERSIONS,
    }
    return {
        "all of Insights": _repeated(lambda: insights.insights(page)),
        "of one version": _repeated(lambda: insights.insights(page, version="1.1")),
        **{
            name: _repeated(lambda q=query: page.execute(q, every).fetchall())  # type: ignore[misc]
            for name, query in queries.items()
        },
    }


def _prunes(system: System) -> tuple[list[float], list[int]]:
    """Milliseconds of `make prune`, each of another day, and how many drawings went."""
    times, removed = [], []
    for days in range(DAYS - 1, DAYS - 1 - PRUNES, -1):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            times += _each(lambda oldest: prune.prune(system, oldest), [days])
        removed.append(int(said.getvalue().split()[1]))  # "Removed 10000 drawings older than ..."
    return times, removed


def _repeated(look: Callable[[], Any]) -> list[float]:
    look()  # what is read again and again lies in memory
    return _each(lambda _: look(), range(READS))


def _each(do: Callable[[Any], Any], things: Iterable[Any]) -> list[float]:
    """The milliseconds that each of these takes."""
    times = []
    for thing in things:
        begun = time.perf_counter()
        do(thing)
        times.append((time.perf_counter() - begun) * 1000)
    return times


def _results(measured: Measured) -> Results:
    read = ["", "p50 ms", "p99 ms", "n"]
    tables = [
        Table(
            "The log",
            ["", "empty: p50 ms", "p99 ms", f"{ROWS:,} rows: p50 ms", "p99 ms", "n"],
            [
                [name, *_figures(measured.empty[name])[:2], *_figures(times)]
                for name, times in measured.full.items()
            ],
            "The deliverer's upsert, a transaction each, on disk when it returns.",
        ),
        Table(
            "A page of History", read, [[name, *_figures(times)] for name, times in measured.pages.items()]
        ),
        Table("Insights", read, [[name, *_figures(times)] for name, times in measured.counts.items()]),
        Table(
            "Pruning",
            ["", "p50 ms", "p99 ms", "n"],
            [[f"`make prune` of {median(measured.removed):,.0f} drawings", *_figures(measured.pruned)]],
            f"With its connection, in transactions of {prune.BATCH:,}.",
        ),
    ]
    summary = (
        f"A PostgreSQL of its own, as `make up` starts it (32 MB of shared buffers), with {ROWS:,} drawings of "
        f"{DAYS} days: {measured.size} with indexes. Each time is what one caller on the same machine waits; what "
        "is read has been read once before."
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


def _figures(times: list[float]) -> list[str]:
    return [shown(median(times)), shown(percentile(times, 99)), str(len(times))]


def _summary(times: Times) -> dict[str, dict[str, float]]:
    return {
        name: {"p50_ms": round(median(each), 3), "p99_ms": round(percentile(each, 99), 3), "n": len(each)}
        for name, each in times.items()
    }
