"""The counts of Insights equal those of the table after every change of its rows."""

import uuid
from datetime import UTC, date, datetime

import pytest

from tests.sql.test_predictions import insert
from ui.insights import Share, Stored, insights, storage_by_visitor
from ui.visitor import hash_visitor

CHANGES = [
    "UPDATE predictions SET true_label = 1, labelled_at = now() WHERE prediction = 7",
    "UPDATE predictions SET true_label = prediction, labelled_at = now() WHERE confidence > 0.5",
    "UPDATE predictions SET revision = revision + 1",
    "UPDATE predictions SET confidence = 1, latency_ms = 0, is_digit = false WHERE prediction = 3",
    "UPDATE predictions SET model_version = '2.0' WHERE prediction = 3",
    "INSERT INTO predictions SELECT * FROM predictions ON CONFLICT (id) DO UPDATE SET prediction = 8",
    "DELETE FROM predictions WHERE model_version = '1.1'",
    "DELETE FROM predictions",
]


def _insert_drawings(page):
    for number in range(40):
        insert(
            page,
            id=uuid.UUID(int=number + 1),
            created_at=datetime(2026, 1, 2 + number % 3, 23, 59, tzinfo=UTC),
            prediction=(3, 7)[number % 2],
            confidence=number / 40,
            model_version=("1.0", "1.1")[number % 5 == 0],
            latency_ms=number * 10.0,
        )


def _counts(owner):
    return owner.execute(
        "SELECT * FROM insights WHERE drawings <> 0 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
    ).fetchall()


def test_every_change_is_counted(page, owner):
    _insert_drawings(page)
    for change in ["SELECT 1", *CHANGES]:
        owner.execute(change)
        kept = _counts(owner)
        owner.execute("CALL recount_insights()")
        assert kept == _counts(owner), change
    assert kept == []


def test_the_migration_counts_existing_drawings(page, owner):
    _insert_drawings(page)
    kept = _counts(owner)
    owner.execute("TRUNCATE insights")
    owner.execute("CALL recount_insights()")
    assert _counts(owner) == kept != []


def test_insights_filter_by_period_and_version(page):
    new, old = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    for number, (at, version, label) in enumerate(
        [(new, "1.0", 7), (new, "1.0", 1), (new, "1.1", 7), (new, "1.1", None), (old, "1.1", 7)]
    ):
        told = {} if label is None else {"true_label": label, "labelled_at": at}
        insert(
            page,
            id=uuid.UUID(int=number + 1),
            created_at=at,
            model_version=version,
            is_digit=label != 1,
            **told,
        )
    everything = insights(page)
    assert everything.by_day == {(old.date(), "1.1"): 1, (new.date(), "1.0"): 2, (new.date(), "1.1"): 2}
    assert everything.accuracies == {"1.0": Share(1, 2), "1.1": Share(2, 2)}
    assert everything.confusion == {(7, 7): 3, (1, 7): 1}
    assert everything.confidences == {(True, 18): 3, (False, 18): 1, (None, 18): 1}
    assert everything.no_digits == 1
    assert everything.latency_ms(0.5) == pytest.approx(3.5, rel=0.1)
    assert insights(page, since=date(2026, 1, 5)).answers == 4
    assert insights(page, version="1.1").answers == 3
    assert insights(page, since=date(2026, 1, 5), version="1.1").confusion == {(7, 7): 1}
    assert insights(page, version="9.9").accuracy is None


def test_visitors_are_sorted_by_stored_drawings(page, monkeypatch):
    one, other = hash_visitor("one"), hash_visitor("other")
    drawn = [(one, 10), (one, 20), (other, 100), (None, 5)]
    for number, (visitor, size) in enumerate(drawn):
        at = datetime(2026, 1, 2 + number, tzinfo=UTC)
        insert(page, id=uuid.UUID(int=number + 1), created_at=at, visitor=visitor, drawing=bytes(size))
    assert storage_by_visitor(page, None, 9) == [
        Stored(other, 1, 100),
        Stored(one, 2, 30),
        Stored(None, 1, 5),
    ]
    assert storage_by_visitor(page, date(2026, 1, 3), 2) == [Stored(other, 1, 100), Stored(one, 1, 20)]
    monkeypatch.setattr("ui.insights.NEWEST_STORED", 1)
    assert storage_by_visitor(page, None, 9) == [Stored(None, 1, 5)]
