"""Filters and pages of History without a database. tests/sql has the real database."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.ui.test_outbox import LABELLED, RECORD
from ui import history
from ui.history import PAGE, Cursor, Filters

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def _rows(count):
    """Drawings, one minute apart, newest first."""
    return [
        replace(RECORD, id=uuid.UUID(int=n + 1), created_at=NOON - timedelta(minutes=n)) for n in range(count)
    ]


def _all(record):
    return True


@pytest.mark.parametrize(
    ("filters", "fits", "does_not"),
    [
        (Filters(digit=7), {}, {"prediction": 1}),
        (Filters(version="1.0"), {}, {"model_version": "1.1"}),
        (Filters(labels="wrong"), {"true_label": 1}, {"true_label": 7}),
        (Filters(labels="wrong"), {"true_label": 0}, {"true_label": None}),
        (Filters(labels="unlabelled"), {}, {"true_label": 0}),
        (Filters(no_digit=True), {"is_digit": False}, {}),
        (Filters(ids=[RECORD.id]), {}, {"id": uuid.uuid4()}),
        (Filters(since=NOON), {"created_at": NOON}, {"created_at": NOON - timedelta(microseconds=1)}),
        (Filters(until=NOON), {"created_at": NOON - timedelta(microseconds=1)}, {"created_at": NOON}),
    ],
)
def test_a_filter_matches_its_condition(filters, fits, does_not):
    assert filters.match(replace(RECORD, **fits))
    assert not filters.match(replace(RECORD, **does_not))
    assert Filters().match(replace(RECORD, **does_not))


def test_a_page_has_fifty_drawings_and_reports_further_pages():
    rows = _rows(PAGE + 1)
    first = history.make_page(rows, None)
    assert (first.records, first.has_newer, first.has_older) == (rows[:PAGE], False, True)
    last = history.make_page(rows[:3], Cursor.at(rows[0]))
    assert (last.records, last.has_newer, last.has_older) == (rows[:3], True, False)
    back = history.make_page(rows[::-1], Cursor.at(rows[-1], newer=True))
    assert (back.records, back.has_newer, back.has_older) == (rows[:0:-1][::-1], True, True)


def test_a_page_includes_the_newest_revisions_of_the_outbox():
    rows = _rows(3)
    corrected = rows[1].add_label(4)
    fresh = replace(RECORD, id=uuid.uuid4(), created_at=NOON + timedelta(minutes=1))
    older = replace(rows[2], prediction=1, revision=0)
    merged = history.merge_waiting(rows, [corrected, fresh, older], None, _all)
    assert merged == [fresh, rows[0], corrected, rows[2]]


def test_a_page_excludes_records_of_other_pages_and_records_that_do_not_match():
    rows = _rows(2)
    fresh = replace(RECORD, id=uuid.uuid4(), created_at=NOON + timedelta(minutes=1))
    assert history.merge_waiting(rows, [fresh], None, Filters(digit=1).match) == rows
    assert history.merge_waiting(rows[1:], [fresh], Cursor.at(rows[0]), _all) == rows[1:]
    assert history.merge_waiting([rows[0]], [fresh], Cursor.at(rows[1], newer=True), _all) == [rows[0], fresh]


def test_a_label_increments_the_revision():
    labelled = LABELLED.add_label(3)
    assert (labelled.true_label, labelled.revision) == (3, LABELLED.revision + 1)
    assert labelled.labelled_at > LABELLED.labelled_at
