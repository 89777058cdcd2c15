"""The queries of History on a real database: paging and filters."""

import itertools
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.sql.test_predictions import ROW, insert
from ui import history
from ui.history import Cursor, Filters

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def records(page):
    """Sixty varied drawings, some with equal times, the newest first."""
    some = random.Random(3)
    for number in range(60):
        label = some.choice([None, 3, 7])
        insert(
            page,
            id=uuid.UUID(int=some.getrandbits(128)),
            created_at=NOON - timedelta(minutes=number // 3),
            prediction=some.choice([3, 7]),
            is_digit=some.random() < 0.7,
            model_version=some.choice(["1.0", "1.1"]),
            true_label=label,
            labelled_at=None if label is None else NOON,
        )
    found = history.newest(page, Filters(), limit=100)
    assert len(found) == 60
    assert found == sorted(found, key=lambda record: (record.created_at, record.id), reverse=True)
    return found


def _filters():
    return [
        Filters(digit, version, labels, no_digit, since, until)
        for digit, version, labels, no_digit, (since, until) in itertools.product(
            (None, 3, 5),
            (None, "1.1"),
            (None, "wrong", "unlabelled"),
            (False, True),
            ((None, None), (NOON - timedelta(minutes=10), NOON - timedelta(minutes=2))),
        )
    ]


def test_a_filter_finds_exactly_the_matching_drawings(page, records):
    for filters in _filters():
        expected = [record for record in records if filters.match(record)]
        assert history.newest(page, filters, limit=100) == expected, filters
        with page.transaction():
            assert list(history.export(page, filters, 7)) == expected[:7], filters


def test_paging_shows_each_drawing_once_in_both_directions(page, records):
    for filters in _filters():
        expected = [record for record in records if filters.match(record)]
        seen, cursor = [], None
        while found := history.newest(page, filters, cursor, limit=7):
            seen += found
            cursor = Cursor.at(found[-1])
        assert seen == expected, filters
        if expected:
            back = history.newest(page, filters, Cursor.at(expected[-1], newer=True), limit=100)
            assert back == expected[:-1][::-1], filters


def test_new_drawings_do_not_move_a_page(page, records):
    cursor = Cursor.at(records[10])
    before = history.newest(page, Filters(digit=3), cursor)
    insert(page, id=uuid.uuid4(), created_at=NOON + timedelta(minutes=1), prediction=3)
    assert history.newest(page, Filters(digit=3), cursor) == before


def test_paging_finds_drawings_by_id(page, records):
    mine = records[::4]
    ids = [record.id for record in mine] + [uuid.uuid4()]
    assert history.newest(page, Filters(ids=ids)) == mine
    assert history.newest(page, Filters(ids=ids), Cursor.at(mine[3]), limit=3) == mine[4:7]
    assert history.newest(page, Filters(ids=ids), Cursor.at(mine[3], newer=True)) == mine[:3][::-1]
    assert history.newest(page, Filters(ids=[])) == []


def test_one_drawing_is_found_with_all_fields(page):
    insert(page)
    record = history.record(page, ROW["id"])
    assert (record.drawing, record.probabilities[0], record.revision) == (b"png", pytest.approx(0.1), 1)
    assert replace(record, revision=2).id == ROW["id"]
    assert history.record(page, uuid.uuid4()) is None


def test_versions_lists_the_versions_of_existing_drawings(page, owner, records):
    assert history.versions(page) == ["1.0", "1.1"]
    owner.execute("DELETE FROM predictions WHERE model_version = '1.0'")
    assert history.versions(page) == ["1.1"]
