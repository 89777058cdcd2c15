import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ui.outbox import Outbox, _write
from ui.outbox_file import MOVE_DRAWN, OutboxError
from ui.record import Record
from ui.visitor import hash_visitor, new_visitor

ROOT = Path(__file__).parent.parent.parent
RECORD = Record(
    id=uuid.UUID(int=1),
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    prediction=7,
    confidence=0.9,
    probabilities=[0.1] * 10,
    is_digit=True,
    digit_score=0.8,
    model_version="1.0",
    latency_ms=12.5,
    true_label=None,
    labelled_at=None,
    drawing=b"\x89PNG\x00",
    revision=1,
)
LABELLED = replace(RECORD, true_label=1, labelled_at=datetime(2026, 1, 2, tzinfo=UTC), revision=2)

WRITE_UNTIL_KILLED = """
import sys, uuid
from dataclasses import replace
from pathlib import Path
from tests.ui.test_outbox import RECORD
from ui.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
while True:
    record = replace(RECORD, id=uuid.uuid4())
    outbox.put(record)
    print(record.id, flush=True)
"""


PUT_WITHOUT_ROOM = """
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
from tests.ui.test_outbox import RECORD
from ui.outbox import Outbox
from ui.outbox_file import OutboxError
outbox = Outbox(Path(sys.argv[1]))
outbox.oldest(1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    outbox.put(replace(RECORD, drawing=bytes(100_000), revision=2))
except OutboxError:
    print("not kept")
"""


@pytest.mark.parametrize("record", [RECORD, LABELLED])
def test_a_record_is_read_back_unchanged(outbox, record):
    outbox.put(record)
    assert outbox.oldest(10) == [record]


def test_the_newest_revision_of_a_drawing_stays(outbox):
    outbox.put(RECORD)
    outbox.put(LABELLED)
    outbox.put(replace(RECORD, prediction=3))  # an older revision, late
    assert outbox.oldest(10) == [LABELLED]


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_that_jumps_loses_and_reorders_no_revision(outbox, monkeypatch, jump_s):
    outbox.put(RECORD)
    now = time.time()
    monkeypatch.setattr("ui.outbox.time.time", lambda: now + jump_s)
    outbox.put(LABELLED)
    other = replace(RECORD, id=uuid.uuid4())
    outbox.put(other)
    assert outbox.waiting_seconds() >= 0
    assert {record.id: record.revision for record in outbox.oldest(10)} == {RECORD.id: 2, other.id: 1}


def test_a_record_without_a_label_does_not_overwrite_a_label(outbox):
    outbox.put(LABELLED)
    outbox.put(replace(RECORD, revision=9))
    assert outbox.oldest(10) == [LABELLED]
    corrected = replace(LABELLED, true_label=4, revision=10)
    outbox.put(corrected)
    assert outbox.oldest(10) == [corrected]


def test_the_oldest_records_come_first(outbox):
    ids = [uuid.uuid4() for _ in range(5)]
    for drawing_id in ids:
        outbox.put(replace(RECORD, id=drawing_id))
    outbox.put(replace(RECORD, id=ids[0], revision=2))  # another stroke keeps its position
    assert [record.id for record in outbox.oldest(3)] == ids[:3]


def test_delivered_records_are_removed_but_newer_revisions_stay(outbox):
    other = replace(RECORD, id=uuid.UUID(int=2))
    outbox.put(RECORD)
    outbox.put(other)
    taken = outbox.oldest(10)
    outbox.put(LABELLED)
    outbox.remove(taken)
    assert outbox.oldest(10) == [LABELLED]


def test_a_rejected_record_is_set_aside_with_its_reason(outbox, tmp_path):
    outbox.put(RECORD)
    outbox.reject(RECORD, "violates a constraint")
    assert outbox.oldest(10) == []
    with sqlite3.connect(tmp_path / "outbox" / "outbox.sqlite3") as connection:
        [(drawing, reason)] = connection.execute("SELECT drawing, reason FROM rejected")
    connection.close()
    assert drawing == RECORD.drawing
    assert reason == "violates a constraint"


def test_waiting_seconds_is_the_age_of_the_oldest_record(outbox):
    assert outbox.waiting_seconds() == 0
    outbox.put(RECORD)
    assert 0 <= outbox.waiting_seconds() < 60


def test_two_processes_share_the_outbox(outbox, tmp_path):
    other = Outbox(tmp_path / "outbox" / "outbox.sqlite3")
    outbox.put(RECORD)
    assert other.oldest(10) == [RECORD]
    other.remove([RECORD])
    assert outbox.oldest(10) == []
    other.close()


def test_threads_put_records_concurrently(outbox):
    records = [replace(RECORD, id=uuid.uuid4()) for _ in range(40)]
    threads = [threading.Thread(target=outbox.put, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {record.id for record in outbox.oldest(100)} == {record.id for record in records}


def test_a_file_is_opened_while_another_process_creates_it(outbox, tmp_path):
    """SQLite does not wait for another connection's transaction before it changes to WAL mode."""
    path = tmp_path / "outbox" / "outbox.sqlite3"
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE busy (id)")
    other.execute("BEGIN IMMEDIATE")
    commit = threading.Timer(0.3, other.execute, ("COMMIT",))
    commit.start()
    outbox.put(RECORD)
    assert outbox.oldest(10) == [RECORD]
    commit.join()
    other.close()


def test_a_killed_writer_loses_no_record(tmp_path):
    path = tmp_path / "outbox.sqlite3"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        put = [uuid.UUID(writer.stdout.readline().strip()) for _ in range(50)]
        os.kill(writer.pid, signal.SIGKILL)
    outbox = Outbox(path)
    kept = {record.id for record in outbox.oldest(10_000)}
    outbox.close()
    assert set(put) <= kept


def test_an_unusable_path_is_reported_and_retried(tmp_path):
    in_the_way = tmp_path / "folder"
    in_the_way.write_text("a file where the folder should be")
    outbox = Outbox(in_the_way / "outbox.sqlite3")
    with pytest.raises(OutboxError, match="folder"):
        outbox.put(RECORD)
    in_the_way.unlink()
    outbox.put(RECORD)
    assert outbox.oldest(10) == [RECORD]
    outbox.close()


def test_a_full_disk_is_reported_and_records_stay(outbox, tmp_path):
    outbox.put(RECORD)
    outbox.close()
    # For SQLite, a file that may not grow is a full disk.
    full = subprocess.run(
        [sys.executable, "-c", PUT_WITHOUT_ROOM, tmp_path / "outbox" / "outbox.sqlite3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.stdout == "not kept\n", full.stderr
    assert outbox.oldest(10) == [RECORD]


def test_a_label_applies_to_the_newest_revision_in_outbox_or_database(outbox):
    for waits, delivered in ((RECORD, None), (None, RECORD), (replace(RECORD, revision=4), RECORD)):
        if waits:
            outbox.put(waits)
        labelled = outbox.label(RECORD.id, 3, lambda delivered=delivered: delivered)
        newest = max(record.revision for record in (waits, delivered) if record)
        assert (labelled.true_label, labelled.revision) == (3, newest + 1)
        assert outbox.oldest(10) == [labelled]
        assert outbox.find_labelled(RECORD.id) == labelled
        outbox.remove([labelled])


def test_a_revision_delivered_during_the_label_is_found(outbox):
    newest = replace(RECORD, revision=2)
    outbox.put(newest)

    def deliver_before_the_label():
        outbox.remove([newest])
        return RECORD

    assert outbox.label(RECORD.id, 3, deliver_before_the_label).revision == 3


def test_a_slow_database_does_not_block_the_outbox(outbox):
    other = replace(RECORD, id=uuid.uuid4())

    def slow():
        thread = threading.Thread(target=outbox.put, args=(other,))
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()
        return RECORD

    outbox.label(RECORD.id, 3, slow)
    assert {record.id for record in outbox.oldest(10)} == {RECORD.id, other.id}


def test_an_unknown_drawing_gets_no_label(outbox):
    assert outbox.label(RECORD.id, 3, lambda: None) is None
    assert outbox.find_labelled(RECORD.id) is None
    assert outbox.oldest(10) == []


def test_a_database_error_leaves_no_label(outbox):
    def fail():
        raise ConnectionResetError

    outbox.put(RECORD)
    with pytest.raises(ConnectionResetError):
        outbox.label(RECORD.id, 3, fail)
    assert outbox.oldest(10) == [RECORD]
    assert outbox.find_labelled(RECORD.id) is None


def test_the_number_of_remembered_labels_is_limited(outbox, monkeypatch):
    monkeypatch.setattr("ui.outbox.MOST_LABELLED", 3)
    records = [replace(RECORD, id=uuid.uuid4()) for _ in range(5)]
    for record in records:
        outbox.label(record.id, 1, lambda record=record: record)
    assert [outbox.find_labelled(record.id) is not None for record in records] == [False] * 2 + [True] * 3


def test_records_are_found_by_their_ids(outbox):
    others = [replace(RECORD, id=uuid.uuid4()) for _ in range(3)]
    for record in others:
        outbox.put(record)
    assert outbox.find([others[1].id, uuid.uuid4()]) == [others[1]]
    assert outbox.find([]) == []
    assert len(outbox.find([*(uuid.uuid4() for _ in range(3000)), others[0].id])) == 1


def test_the_newest_drawings_of_a_visitor_are_remembered_for_a_limited_time(outbox, monkeypatch):
    monkeypatch.setattr("ui.outbox.MOST_DRAWINGS", 2)
    records = [replace(RECORD, id=uuid.uuid4(), visitor=ONE) for _ in range(3)]
    ids = [outbox.put(record).id for record in records]
    assert outbox.drawing_ids(ONE) == [ids[2], ids[1]]
    outbox.put(replace(records[1], revision=9))  # another stroke does not make it newer
    assert outbox.drawing_ids(ONE) == [ids[2], ids[1]]
    monkeypatch.setattr("ui.outbox.OWNER_KEPT_S", -1.0)
    outbox.put(replace(RECORD, id=uuid.uuid4(), visitor=OTHER))
    assert outbox.drawing_ids(ONE) == []


ONE, OTHER = hash_visitor("one"), hash_visitor("other")
MINE = replace(RECORD, visitor=ONE)
THEIRS = replace(MINE, visitor=OTHER, prediction=3, drawing=b"theirs", revision=9)


@pytest.mark.parametrize("delivered", [False, True])
def test_a_record_with_another_visitors_id_is_stored_as_a_new_drawing(outbox, delivered):
    outbox.put(MINE)
    if delivered:
        outbox.remove([MINE])
    kept = outbox.put(THEIRS)
    assert kept == replace(THEIRS, id=kept.id)
    assert kept.id != MINE.id
    assert outbox.oldest(10) == [kept] if delivered else [MINE, kept]
    assert (outbox.drawing_ids(ONE), outbox.drawing_ids(OTHER)) == ([MINE.id], [kept.id])
    more = outbox.put(replace(THEIRS, revision=10))  # continues the same drawing
    assert (more.id, more.revision) == (kept.id, 10)


def test_a_record_without_a_visitor_is_not_overwritten(outbox):
    outbox.put(RECORD)
    assert outbox.put(MINE).id != RECORD.id
    assert RECORD in outbox.oldest(10)


def test_the_upsert_does_not_overwrite_another_visitors_record(outbox):
    outbox.put(MINE)
    with outbox._file.transaction("IMMEDIATE") as connection:
        _write(connection, THEIRS)
    assert outbox.oldest(10) == [MINE]


@pytest.mark.parametrize("delivered", [False, True])
def test_only_the_visitor_who_drew_or_an_operator_labels(outbox, delivered):
    outbox.put(MINE)
    if delivered:
        outbox.remove([MINE])
    row = (lambda: MINE) if delivered else (lambda: None)
    assert outbox.label(MINE.id, 3, row, OTHER) is None
    assert outbox.label(MINE.id, 3, row, ONE).true_label == 3
    by_operator = outbox.label(MINE.id, 4, row)
    assert (by_operator.true_label, by_operator.visitor) == (4, ONE)
    assert outbox.oldest(10) == [by_operator]
    assert outbox.drawing_ids(OTHER) == []


def test_a_record_with_another_visitors_id_in_the_database_gets_a_new_id(outbox):
    outbox.put(THEIRS)
    newer = replace(THEIRS, revision=10)
    outbox.put(newer)
    outbox.derive_ids([THEIRS])
    [own] = outbox.oldest(10)
    assert own == newer.derive_id()
    assert own.id in outbox.drawing_ids(OTHER)


OLD_SCHEMA = """
CREATE TABLE drawn (visitor TEXT NOT NULL, id TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (visitor, id));
CREATE INDEX drawn_since ON drawn (since);
"""


def test_an_old_outbox_keeps_owners_and_forgets_cookies(tmp_path):
    path, now = tmp_path / "outbox.sqlite3", time.time()
    cookies = [new_visitor() for _ in range(200)]
    ids = [uuid.uuid4() for _ in cookies]
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(OLD_SCHEMA)
        rows = [
            (cookie, str(id_), now - 100 + n)
            for n, (cookie, id_) in enumerate(zip(cookies, ids, strict=True))
        ]
        connection.executemany("INSERT INTO drawn VALUES (?, ?, ?)", rows)
        # Another visitor who used the id later.
        connection.execute("INSERT INTO drawn VALUES (?, ?, ?)", (cookies[1], str(ids[0]), now))
    connection.close()
    outbox, other = Outbox(path), Outbox(path)  # page and deliverer
    assert [outbox.drawing_ids(hash_visitor(cookie)) for cookie in cookies] == [[id_] for id_ in ids]
    assert other.drawing_ids(hash_visitor(cookies[3])) == [ids[3]]
    assert outbox.put(replace(MINE, id=ids[2], visitor=hash_visitor(cookies[2]))).id == ids[2]
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert not any(cookie.encode() in files for cookie in cookies)
    outbox.close()
    other.close()


def test_an_interrupted_migration_of_owners_loses_none(tmp_path, monkeypatch):
    path = tmp_path / "outbox.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD_SCHEMA)
        connection.execute("INSERT INTO drawn VALUES ('one', ?, ?)", (str(RECORD.id), time.time()))
    connection.close()
    with monkeypatch.context() as patched:
        patched.setattr("ui.outbox_file.MOVE_DRAWN", MOVE_DRAWN.replace("COMMIT", "SELECT nothing"))
        with pytest.raises(OutboxError):
            Outbox(path).drawing_ids(ONE)
    outbox = Outbox(path)
    assert outbox.drawing_ids(ONE) == [RECORD.id]
    outbox.close()


def _with(**changes):
    return lambda content: json.dumps(content | changes)


# Damage of a record that SQLite's check of the file does not find.
DAMAGED = {
    "another key": lambda content: json.dumps(content).replace("created_at", "creatad_at"),
    "a list": lambda _: "[1, 2]",
    "a number": lambda _: "5",
    "cut off": lambda content: json.dumps(content)[:-5],
    "nested too deeply": lambda _: "[" * 100_000,
    "an integer too long to read": lambda _: "1" * 5000,
    "a dict as prediction": _with(prediction={"a": 1}),
    "a truth as prediction": _with(prediction=True),
    "a text as a probability": _with(probabilities=["0.1"] * 10),
    "a bad date": _with(created_at="20z6-01-02"),
    "no date": _with(created_at=None),
    "a number as date": _with(created_at=5),
    "half a character": _with(model_version="\ud800"),
    "no id": _with(id="x"),
    "a number as id": _with(id=5),
    "another's id": _with(id=str(uuid.UUID(int=3))),
    "another revision": _with(revision=2),
}


def damage_record(path, record, damage):
    """Damage a record in the outbox; returns its text."""
    text = damage(json.loads(record.to_json()))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE waiting SET record = ? WHERE id = ?", (text, str(record.id)))
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    connection.close()
    return text


def test_a_field_of_a_later_release_is_ignored(outbox, tmp_path):
    outbox.put(RECORD)
    damage_record(tmp_path / "outbox" / "outbox.sqlite3", RECORD, _with(new_column=1))
    assert outbox.find([RECORD.id]) == [RECORD]


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_set_aside_unchanged_and_the_others_are_delivered(
    outbox, tmp_path, damage, caplog
):
    path, other = tmp_path / "outbox" / "outbox.sqlite3", replace(RECORD, id=uuid.UUID(int=2))
    for record in (RECORD, other):
        outbox.put(record)
    text = damage_record(path, RECORD, damage)

    assert outbox.find([RECORD.id, other.id]) == [other]
    assert outbox.label(RECORD.id, 1, lambda: None) is None
    assert outbox.oldest(1) == [other]
    with sqlite3.connect(path) as connection:
        [(drawing_id, revision, kept, drawing, reason)] = connection.execute("SELECT * FROM rejected")
    connection.close()
    assert (drawing_id, revision, kept, drawing) == (str(RECORD.id), 1, text, RECORD.drawing)
    assert reason.startswith(f"the record of drawing {RECORD.id} ")
    assert len(reason) < 300
    assert caplog.messages == [f"a row of the outbox was rejected and set aside: {reason}"]
    assert list(path.parent.glob("*.damaged-*")) == []


def test_a_row_with_damaged_columns_is_set_aside(outbox, tmp_path):
    outbox.put(RECORD)
    for column, value in (("drawing", "a text"), ("record", b"bytes"), ("id", None)):
        with sqlite3.connect(tmp_path / "outbox" / "outbox.sqlite3") as connection:
            outbox.put(replace(RECORD, id=uuid.uuid4()))
            connection.execute(f"UPDATE waiting SET {column} = ? WHERE id <> ?", (value, str(RECORD.id)))  # noqa: S608
        connection.close()
        assert outbox.oldest(10) == [RECORD]
