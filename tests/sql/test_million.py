"""With a million drawings, a page of History and Insights read few blocks of the database.

Blocks of 8 KiB are counted, from the cache or from disk, and not times, which differ by machine. Without its
index a page would read all blocks of the table, and some of them again and again. `make bench BENCH=database` has the
times.
"""

import itertools
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fixtures import million_rows
from ops.native import postgres
from tests.ops.conftest import a_server, a_system
from tests.sql.conftest import connect_as_page
from ui import history, insights
from ui.history import Cursor, Filters

pytestmark = pytest.mark.service
ROWS = (100_000, pytest.param(1_000_000, marks=pytest.mark.slow))
# The worst page (wrong labels of non-digits) reads 29 % of 1,000,000 rows; without its index, more than 100 %.
MOST_OF_THE_TABLE = 0.5
NEWEST = 10_000  # of the drawings, for model quality: sql/migrations/0006_model_quality.sql
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module", params=ROWS)
def rows(request):
    return request.param


@pytest.fixture(scope="module")
def page(tmp_path_factory, rows):
    """The page's connection to a database with this number of drawings and the migrations' indexes."""
    with a_system(tmp_path_factory.mktemp("million")) as system, a_server(system):
        postgres.migrate(system)
        with psycopg.connect(postgres.owner_url(system), autocommit=True) as owner:
            # Faster without a write-ahead log, which does not affect reads, and with sort memory for this connection.
            owner.execute("ALTER TABLE predictions SET UNLOGGED")
            owner.execute("SET work_mem = '64MB'")
            owner.execute("SET maintenance_work_mem = '256MB'")
            million_rows.fill(owner, rows, NOW, timedelta(days=350) / rows)
        with connect_as_page(system) as connection:
            yield connection


def _blocks_read(page, statement, values):
    """The number of blocks that a statement reads, by PostgreSQL's count."""
    explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
    plan = page.execute(explain, values).fetchone()[0][0]["Plan"]
    return sum(plan[f"{kind} Blocks"] for kind in ("Shared Hit", "Shared Read", "Temp Read"))


def _share_read(page, statement, values):
    """The share of the table's blocks that a statement reads."""
    blocks = _blocks_read(page, statement, values)
    return blocks / page.execute("SELECT pg_relation_size('predictions') / 8192").fetchone()[0]


def _cursors(page):
    """The first page, and one from the middle of the table in either direction."""
    [deep] = history.newest(page, Filters(until=NOW - timedelta(days=170)), limit=1)
    return (None, Cursor.at(deep), Cursor.at(deep, newer=True))


def _filters():
    days = (None, (NOW - timedelta(days=200), NOW - timedelta(days=193)))
    return [
        Filters(digit, version, labels, no_digit, *(dates or (None, None)))
        for digit, version, labels, no_digit, dates in itertools.product(
            (None, 3), (None, "1.1", "0.1"), (None, "wrong", "unlabelled"), (False, True), days
        )
    ]


def test_a_page_of_history_reads_few_blocks(page, rows):
    assert page.execute("SELECT count(*) FROM predictions").fetchone() == (rows,)
    shares, empty = {}, 0
    for cursor, filters in itertools.product(_cursors(page), _filters()):
        query = history.page_query(filters, cursor, history.PAGE + 1)
        found = page.execute(*query).fetchall()
        empty += not found
        shares[filters, cursor] = _share_read(page, *query)
    assert empty > 10  # filter combinations without a match, which are the slowest
    most = max(shares, key=shares.get)
    assert shares[most] < MOST_OF_THE_TABLE, most


def test_a_page_of_one_visitor_reads_few_blocks(page):
    ids = [row[0] for row in page.execute("SELECT id FROM predictions TABLESAMPLE SYSTEM (5) LIMIT 1000")]
    assert len(ids) == 1000
    query = history.page_query(Filters(ids=ids), _cursors(page)[1], history.PAGE + 1)
    assert _share_read(page, *query) < MOST_OF_THE_TABLE


def test_insights_read_few_blocks(page, rows):
    assert insights.insights(page).answers == rows
    for values in ({"since": None, "version": None}, {"since": None, "version": "1.1"}):
        statements = (*insights.STATEMENTS, history.VERSIONS)
        assert sum(_share_read(page, statement, values) for statement in statements) < MOST_OF_THE_TABLE


def test_the_visitor_list_reads_only_the_newest_drawings(page):
    values = {"since": None, "newest": insights.NEWEST_STORED, "visitors": 10}
    assert (
        _blocks_read(page, insights.STORED, values) < 2 * insights.NEWEST_STORED
    )  # a row and its index blocks


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM estimated_accuracy(%(newest)s - interval '7 days')",
        "SELECT * FROM drift(%(newest)s - interval '24 hours')",
    ],
)
def test_model_quality_reads_only_the_newest_drawings(page, rows, statement):
    assert _blocks_read(page, statement, {"newest": NOW}) < 2 * min(rows, NEWEST)
    # For a period of any length.
    assert _blocks_read(page, statement, {"newest": NOW - timedelta(days=340)}) < 2 * min(rows, NEWEST)


def test_labelled_accuracy_reads_only_counts(page):
    assert _share_read(page, "SELECT * FROM model_accuracy_by_day", {}) < MOST_OF_THE_TABLE
    assert _share_read(page, "SELECT * FROM model_accuracy", {}) < MOST_OF_THE_TABLE
