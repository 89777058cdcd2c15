"""Records in the outbox of a running system arrive in PostgreSQL, in their newest revision."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fixtures.waiting import eventually
from tests.system.running import RunningSystem
from ui.outbox import Outbox
from ui.record import Record

RECORD = Record(
    id=uuid.UUID(int=0),
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    prediction=7,
    confidence=0.75,
    probabilities=[0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.75, 0.0, 0.0],
    is_digit=True,
    digit_score=0.5,
    model_version="1.0",
    latency_ms=12.5,
    true_label=None,
    labelled_at=None,
    drawing=b"\x89PNG\x00",
    revision=1,
)


@pytest.fixture
def outbox(system: RunningSystem) -> Iterator[Outbox]:
    """The outbox of the running page, opened a second time."""
    outbox = Outbox(system.system.outbox)
    yield outbox
    outbox.close()


def _new(**changes) -> Record:
    return replace(RECORD, id=uuid.uuid4(), **changes)


def _revision(system: RunningSystem, record: Record) -> int:
    return system.rows("SELECT max(revision) FROM predictions WHERE id = %s", record.id)[0][0]


def test_all_fields_of_a_record_arrive(system: RunningSystem, outbox: Outbox):
    record = _new(true_label=1, labelled_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC), revision=2)
    outbox.put(record)
    [row] = eventually(lambda: system.rows("SELECT * FROM predictions WHERE id = %s", record.id))
    assert row == tuple(record.__dict__.values())


def test_an_older_revision_never_overwrites_a_newer_one(system: RunningSystem, outbox: Outbox):
    newer = _new(prediction=4, revision=3)
    outbox.put(newer)
    eventually(lambda: _revision(system, newer) == 3)
    outbox.put(replace(newer, prediction=1, revision=2))  # late
    eventually(lambda: outbox.waiting_seconds() == 0)
    assert system.rows("SELECT prediction, revision FROM predictions WHERE id = %s", newer.id) == [(4, 3)]
    outbox.put(replace(newer, prediction=9, revision=4))
    eventually(lambda: _revision(system, newer) == 4)


def test_a_label_closes_a_drawing(system: RunningSystem, outbox: Outbox):
    labelled = _new(true_label=1, labelled_at=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC), revision=2)
    outbox.put(labelled)
    eventually(lambda: _revision(system, labelled) == 2)
    outbox.put(replace(labelled, true_label=None, labelled_at=None, revision=3))
    eventually(lambda: outbox.waiting_seconds() == 0)
    assert system.rows("SELECT true_label, revision FROM predictions WHERE id = %s", labelled.id) == [(1, 2)]
    outbox.put(replace(labelled, true_label=4, revision=4))
    eventually(lambda: _revision(system, labelled) == 4)


def test_further_strokes_do_not_change_created_at(system: RunningSystem, outbox: Outbox):
    record = _new()
    outbox.put(record)
    eventually(lambda: _revision(system, record) == 1)
    outbox.put(replace(record, created_at=datetime(2027, 1, 1, tzinfo=UTC), revision=2))
    eventually(lambda: _revision(system, record) == 2)
    assert system.rows("SELECT created_at FROM predictions WHERE id = %s", record.id) == [
        (record.created_at,)
    ]


@pytest.mark.parametrize(
    "changes",
    [{"prediction": 10}, {"confidence": float("nan")}, {"model_version": "1\x000"}, {"drawing": b""}],
)
def test_a_record_that_the_schema_refuses_does_not_delay_others(
    system: RunningSystem, outbox: Outbox, changes
):
    refused, good = _new(**changes), _new()
    outbox.put(refused)
    outbox.put(good)
    eventually(lambda: _revision(system, good) == 1)
    eventually(lambda: outbox.waiting_seconds() == 0)
    assert _revision(system, refused) is None
