"""The deliverer with a stand-in for psycopg's pool. tests/system has the real database."""

import logging
import sqlite3
import threading
import uuid
from contextlib import contextmanager
from dataclasses import asdict, replace

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from fixtures.waiting import eventually
from tests.ui.test_outbox import DAMAGED, LABELLED, RECORD, damage_record
from ui import deliverer
from ui.record import FOREIGN, UPSERT


class Database:
    """Stands in for the pool, its connection and its cursor: a dict of rows with transactions."""

    def __init__(self):
        self.rows = {}
        self.failure = None
        self.attempts = 0
        self.while_committing = lambda: None

    @contextmanager
    def connection(self):
        self.attempts += 1
        if self.failure:
            raise self.failure
        before = dict(self.rows)
        try:
            yield self
            self.while_committing()
        except BaseException:
            self.rows = before
            raise

    @contextmanager
    def cursor(self):
        yield self

    def executemany(self, statement, rows):
        assert statement == UPSERT
        for row in rows:
            if row["prediction"] > 9:
                raise psycopg.errors.CheckViolation("violates a check constraint\nDETAIL: the whole row")
            before = self.rows.get(row["id"])
            if before is None or before["visitor"] == row["visitor"]:
                self.rows[row["id"]] = row

    def execute(self, statement, sent):
        assert statement == FOREIGN
        sent = zip(sent["ids"], sent["visitors"], strict=True)
        return [(id_,) for id_, visitor in sent if self.rows[id_]["visitor"] != visitor]


@pytest.fixture
def database():
    return Database()


def test_a_record_of_the_previous_release_is_delivered(outbox, database):
    outbox.put(RECORD)
    with sqlite3.connect(outbox._file._path) as file:  # as release 1.3 wrote it
        file.execute("UPDATE waiting SET record = json_remove(record, '$.ink_share')")
    [waiting] = outbox.oldest(1)
    deliverer.deliver(outbox, database, [waiting])
    assert database.rows[RECORD.id] == asdict(RECORD) | {"ink_share": None}
    assert outbox.oldest(1) == []


def _records(count, **changes):
    return [replace(RECORD, id=uuid.uuid4(), **changes) for _ in range(count)]


@contextmanager
def _running(outbox, database, stop=None):
    stop = stop or threading.Event()
    thread = threading.Thread(target=deliverer.run, args=(outbox, database, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _deliver(outbox, database, records):
    """Put records into the outbox and run the deliverer until it is empty."""
    for record in records:
        outbox.put(record)
    with _running(outbox, database):
        eventually(lambda: outbox.oldest(1) == [])


def test_records_are_delivered_and_removed(outbox, database):
    records = _records(deliverer.BATCH + 5)
    _deliver(outbox, database, records)
    assert database.rows.keys() == {record.id for record in records}


class Pauses(threading.Event):
    """Adds up the pauses of the deliverer. A record arrives at the beginning of the third pause."""

    def __init__(self, outbox, database):
        super().__init__()
        self.outbox, self.database, self.count, self.seconds_with_a_record = outbox, database, 0, 0.0

    def wait(self, timeout=None):
        self.count += 1
        if self.count == 3:
            self.outbox.put(RECORD)
        if self.count >= 3 and not self.database.rows:
            self.seconds_with_a_record += timeout
        return super().wait(timeout)


def test_a_record_waits_at_most_a_fifth_of_a_second(outbox, database):
    pauses = Pauses(outbox, database)
    with _running(outbox, database, pauses):
        eventually(lambda: database.rows)
    assert 0 < pauses.seconds_with_a_record <= 0.2


def test_a_revision_written_during_a_delivery_stays_in_the_outbox(outbox, database):
    outbox.put(RECORD)
    database.while_committing = lambda: outbox.put(LABELLED)
    deliverer.deliver(outbox, database, outbox.oldest(10))
    assert outbox.oldest(10) == [LABELLED]


def test_a_record_with_another_visitors_id_gets_a_new_id(outbox, database, caplog):
    mine, other = replace(RECORD, visitor="a"), replace(RECORD, id=uuid.uuid4(), visitor="b")
    database.rows[mine.id] = asdict(mine)
    taken = replace(mine, visitor="b", prediction=3, revision=5)
    _deliver(outbox, database, [other, taken])  # this outbox does not have the first record
    own = taken.derive_id()
    assert database.rows == {record.id: asdict(record) for record in (mine, other, own)}
    [warning] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.drawing_id == mine.id
    assert str(own.id) in warning.message


def test_a_refused_record_is_set_aside_and_the_others_are_delivered(outbox, database, caplog):
    good, bad = _records(5), replace(RECORD, prediction=11)
    _deliver(outbox, database, [*good[:2], bad, *good[2:]])
    assert database.rows.keys() == {record.id for record in good}
    [error] = [record for record in caplog.records if "rejected" in record.message]
    assert error.message == "drawing was rejected and set aside: violates a check constraint"
    assert error.drawing_id == bad.id


def test_every_delivered_revision_is_logged_with_its_drawing(outbox, database, caplog):
    caplog.set_level(logging.INFO)
    labelled = replace(RECORD, id=uuid.uuid4()).add_label(7)
    _deliver(outbox, database, [RECORD, labelled])
    assert {(record.drawing_id, record.message) for record in caplog.records} == {
        (RECORD.id, f"drawing, revision {RECORD.revision}: delivered"),
        (labelled.id, f"labelled drawing, revision {labelled.revision}: delivered"),
    }


def test_damaged_records_are_set_aside_and_the_others_are_delivered(tmp_path, outbox, database):
    good, bad = _records(3), _records(len(DAMAGED))
    for record in (good[0], *bad, *good[1:]):
        outbox.put(record)
    for record, damage in zip(bad, DAMAGED.values(), strict=True):
        damage_record(tmp_path / "outbox" / "outbox.sqlite3", record, damage)
    with _running(outbox, database):
        eventually(lambda: database.rows.keys() == {record.id for record in good})
        eventually(lambda: outbox.waiting_seconds() == 0)


def test_a_batch_is_one_span(outbox, database, monkeypatch):
    named = []

    @contextmanager
    def span(part, name, **attributes):
        named.append((part, name, attributes))
        yield {}

    monkeypatch.setattr(deliverer, "span", span)
    _deliver(outbox, database, _records(5))
    assert named == [("deliverer", "deliver", {"drawings": 5})]


@pytest.mark.parametrize(
    "failure",
    [
        PoolTimeout("couldn't get a connection after 5.00 sec"),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.errors.UndefinedTable("relation does not exist"),
        psycopg.errors.InsufficientPrivilege("permission denied"),
    ],
)
def test_while_the_database_is_unavailable_records_wait_and_one_warning_is_logged(
    outbox, database, caplog, monkeypatch, failure
):
    monkeypatch.setattr(deliverer, "RETRY_INTERVAL_S", 0.01)
    caplog.set_level(logging.INFO)
    database.failure = failure
    outbox.put(RECORD)
    with _running(outbox, database):
        eventually(lambda: database.attempts > 5)
        assert outbox.oldest(10) == [RECORD]
        database.failure = None
        eventually(lambda: outbox.oldest(10) == [])
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"delivery failed, the records stay in the outbox: {failure}",
        "delivery works again",
    ]


def test_an_unreadable_outbox_is_retried(tmp_path, outbox, database, caplog, monkeypatch):
    monkeypatch.setattr(deliverer, "RETRY_INTERVAL_S", 0.01)
    folder = tmp_path / "outbox"
    folder.write_text("a file where the folder should be")
    with _running(outbox, database):
        eventually(lambda: "delivery failed" in caplog.text)
        folder.unlink()
        outbox.put(RECORD)
        eventually(lambda: database.rows)


@pytest.fixture
def outbox_path(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTBOX_PATH", str(tmp_path / "outbox" / "outbox.sqlite3"))


def test_check_fails_if_a_record_waits_for_too_long(outbox_path, outbox, monkeypatch):
    assert deliverer.main(["--check"]) == 0
    outbox.put(RECORD)
    assert deliverer.main(["--check"]) == 0
    monkeypatch.setattr(deliverer, "LATE_AFTER_S", 0.0)
    assert deliverer.main(["--check"]) == 1


def test_check_fails_if_the_outbox_is_unreadable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("OUTBOX_PATH", str(tmp_path / "file" / "outbox.sqlite3"))
    assert deliverer.main(["--check"]) == 1
