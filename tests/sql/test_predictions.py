"""The schema holds what the log promises, whoever writes to it."""

import re
import uuid
from pathlib import Path

import psycopg
import pytest

MIGRATIONS = Path(__file__).parent.parent.parent / "sql" / "migrations"
ROW = {
    "id": uuid.UUID(int=1),
    "created_at": "2026-01-01T00:00:00Z",
    "prediction": 7,
    "confidence": 0.9,
    "probabilities": [0.1] * 10,
    "is_digit": True,
    "digit_score": 0.9,
    "model_version": "1.0",
    "latency_ms": 3.5,
    "true_label": None,
    "labelled_at": None,
    "drawing": b"png",
    "revision": 1,
}


def insert(connection, **changes):
    row = ROW | changes
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO predictions ({names}) VALUES ({values})", row)  # noqa: S608


def test_the_schema_holds_what_is_right_and_refuses_what_is_not(page):
    insert(page)
    insert(page, id=uuid.UUID(int=2), true_label=4, labelled_at="2026-01-01T00:00:01Z", revision=2)
    wrong = [
        {"prediction": 10},
        {"prediction": -1},
        {"confidence": 1.01},
        {"confidence": float("nan")},
        {"probabilities": [0.1] * 9},
        {"digit_score": -0.1},
        {"model_version": ""},
        {"latency_ms": -1},
        {"true_label": 10, "labelled_at": "2026-01-01T00:00:01Z"},
        {"true_label": 4},
        {"labelled_at": "2026-01-01T00:00:01Z"},
        {"drawing": b""},
        {"drawing": None},
        {"revision": 0},
    ]
    for changes in wrong:
        with pytest.raises(psycopg.IntegrityError):
            insert(page, id=uuid.uuid4(), **changes)
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(page)
    assert page.execute("SELECT count(*) FROM predictions").fetchone() == (2,)


def test_the_page_may_write_answers_and_labels_and_nothing_else(page):
    insert(page)
    page.execute("UPDATE predictions SET true_label = 1, labelled_at = now(), revision = revision + 1")
    forbidden = [
        "DELETE FROM predictions",
        "TRUNCATE predictions",
        "UPDATE predictions SET id = gen_random_uuid()",
        "UPDATE predictions SET created_at = now()",
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
    ]
    for statement in forbidden:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            page.execute(statement)


def test_migrations_are_numbered_without_a_gap():
    numbers = [int(path.name.split("_")[0]) for path in sorted(MIGRATIONS.iterdir())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", path.name) for path in MIGRATIONS.iterdir())
