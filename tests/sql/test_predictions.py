"""The schema enforces the rules of the prediction log and the rights of each role."""

import re
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from fixtures import predictions
from ops.data import secrets
from ops.native import postgres
from tests.sql.conftest import connect_as_page
from ui import history
from ui.record import FOREIGN, UPSERT, Record
from ui.visitor import hash_visitor

MIGRATIONS = Path(__file__).parent.parent.parent / "sql" / "migrations"
ROW = {"id": uuid.UUID(int=1), "created_at": "2026-01-01T00:00:00Z", **predictions.ROW}


def insert(connection, **changes):
    predictions.insert(connection, **ROW | changes)


def test_the_schema_accepts_valid_rows_and_rejects_invalid_ones(page):
    insert(page)
    insert(page, id=uuid.UUID(int=2), true_label=4, labelled_at="2026-01-01T00:00:01Z", revision=2)
    wrong = [
        {"prediction": 10},
        {"prediction": -1},
        {"confidence": 1.01},
        {"confidence": float("nan")},
        {"probabilities": [0.1] * 9},
        {"digit_score": -0.1},
        {"ink_share": -0.1},
        {"ink_share": 1.1},
        {"ink_share": float("nan")},
        {"model_version": ""},
        {"latency_ms": -1},
        {"true_label": 10, "labelled_at": "2026-01-01T00:00:01Z"},
        {"true_label": 4},
        {"labelled_at": "2026-01-01T00:00:01Z"},
        {"drawing": b""},
        {"drawing": None},
        {"revision": 0},
        {"visitor": "the cookie itself"},
    ]
    for changes in wrong:
        with pytest.raises(psycopg.IntegrityError):
            insert(page, id=uuid.uuid4(), **changes)
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(page)
    assert page.execute("SELECT count(*) FROM predictions").fetchone() == (2,)


def test_the_page_may_write_only_answers_and_labels(page):
    insert(page)
    page.execute("UPDATE predictions SET true_label = 1, labelled_at = now(), revision = revision + 1")
    forbidden = [
        "DELETE FROM predictions",
        "TRUNCATE predictions",
        "UPDATE predictions SET id = gen_random_uuid()",
        "UPDATE predictions SET created_at = now()",
        "UPDATE predictions SET visitor = NULL",
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "ALTER TABLE predictions ADD COLUMN mine int",
        "DROP TABLE predictions",
        "CREATE ROLE friend",
        "SET ROLE owner",
        "SELECT * FROM schema_migrations",
        "UPDATE insights SET drawings = 0",
        "INSERT INTO insights (facet, day, model_version, drawings) VALUES ('answer', now(), '1.0', 1)",
        "DELETE FROM insights",
        "CALL recount_insights()",
        "INSERT INTO model_reference VALUES ('1.0', 'digit', 0, 0.5)",
        "UPDATE model_reference SET share = 0.5",
        "DELETE FROM model_reference",
        "SELECT lo_creat(-1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'a')",
        "SELECT lo_put(1, 0, 'a')",
        "SELECT lo_import('/etc/passwd')",
    ]
    for statement in forbidden:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            page.execute(statement)


def test_the_exporter_reads_no_drawings_and_no_visitors(migrated, page):
    insert(page, created_at="now")
    password = secrets.read(migrated, "database_exporter_password")
    url = postgres.role_url(migrated, postgres.EXPORTER)
    with psycopg.connect(url, password=password, autocommit=True) as exporter:
        for relation in ("insights", "model_accuracy", "model_drift"):
            exporter.execute(f"SELECT * FROM {relation}")  # noqa: S608
        [(drawings,)] = exporter.execute("SELECT drawings FROM model_estimated_accuracy").fetchall()
        assert drawings == 1
        for forbidden in (
            "SELECT * FROM predictions",
            "SELECT drawing FROM newest_predictions('-infinity')",
            "SELECT * FROM model_reference",
            "UPDATE insights SET drawings = 0",
            "DELETE FROM predictions",
            "CREATE TABLE mine (x int)",
            "CREATE TEMPORARY TABLE mine (x int)",
            "SET ROLE page",
            "SELECT lo_creat(-1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                exporter.execute(forbidden)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_the_page_cannot_connect_to_other_databases(migrated, database):
    password = secrets.read(migrated, "database_page_password")
    with pytest.raises(psycopg.OperationalError, match=f'permission denied for database "{database}"'):
        psycopg.connect(postgres.role_url(migrated), password=password, dbname=database)


def test_a_start_resets_the_role_of_the_page(migrated):
    # PostgreSQL lets every role change its own password and defaults.
    with connect_as_page(migrated) as page:
        page.execute("ALTER ROLE page PASSWORD 'another'")
        page.execute("ALTER ROLE page SET statement_timeout = 1")
        page.execute("ALTER ROLE page IN DATABASE mnist SET default_transaction_read_only = on")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect_as_page(migrated)
    postgres.migrate(migrated)
    with connect_as_page(migrated) as page:
        assert page.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert page.execute("SHOW default_transaction_read_only").fetchone() == ("off",)


def test_the_last_migration_can_be_undone(migrated):
    newest = postgres.schema_version(migrated)
    postgres.migrate_down_to(migrated, "0003")
    with connect_as_page(migrated) as page:
        page.execute("SELECT lo_unlink(lo_creat(-1))")
    postgres.migrate(migrated)
    assert postgres.schema_version(migrated) == newest


RECORD = Record(**ROW | {"created_at": datetime(2026, 1, 1, tzinfo=UTC)})
ONE, OTHER = hash_visitor("one"), hash_visitor("other")


def _upsert(page, record):
    """Whether the database accepts the page's write of a drawing, and the ids that it rejects as another visitor's."""
    page.execute(UPSERT, asdict(record))
    foreign = page.execute(FOREIGN, {"ids": [record.id], "visitors": [record.visitor]}).fetchall()
    return history.record(page, record.id) == record, [id_ for (id_,) in foreign]


@pytest.mark.parametrize(
    ("drew", "writes", "taken"),
    [(ONE, ONE, True), (None, None, True), (ONE, OTHER, False), (None, ONE, False), (ONE, None, False)],
)
def test_only_the_visitor_who_drew_it_changes_a_row(page, drew, writes, taken):
    first = replace(
        RECORD, visitor=drew, ink_share=0.125, confidence=0.5, digit_score=0.5, probabilities=[0.0] * 10
    )
    changed = replace(first, visitor=writes, prediction=3, drawing=b"other", revision=5, ink_share=0.25)
    assert _upsert(page, first) == (True, [])
    assert _upsert(page, changed) == (taken, [] if taken else [first.id])
    assert history.record(page, first.id) == (changed if taken else first)
    by_operator = history.record(page, first.id).add_label(4)  # with the row's own visitor
    assert _upsert(page, by_operator) == (True, [])


def test_migrations_are_numbered_without_a_gap():
    numbers = [int(path.name.split("_")[0]) for path in sorted(MIGRATIONS.iterdir())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", path.name) for path in MIGRATIONS.iterdir())
