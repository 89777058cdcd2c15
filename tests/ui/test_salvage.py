"""A damaged outbox is set aside and its readable rows are kept. Temporary failures are not damage."""

import errno
import fcntl
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ui.test_outbox import RECORD, ROOT
from ui import damage, deliverer
from ui.outbox import Outbox
from ui.outbox_file import SCHEMA, OutboxError
from ui.record import Record
from ui.salvage import PAGE_BYTES
from ui.visitor import hash_visitor

NOISE = random.Random(0)
VISITOR = hash_visitor("a visitor")
REJECTED = replace(RECORD, id=uuid.UUID(int=99))

PUT_ONE = """
import sys, uuid
from dataclasses import replace
from pathlib import Path
from tests.ui.test_outbox import RECORD
from ui.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
sys.stdin.readline()
record = replace(RECORD, id=uuid.uuid4())
outbox.put(record)
print(record.id)
"""


@pytest.fixture(autouse=True)
def short_search(monkeypatch):
    """A page of these files has at most three rows, so the search can be shorter."""
    monkeypatch.setattr("ui.salvage.MOST_SCANS", 200)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox" / "outbox.sqlite3"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file with 20 waiting records, two or three in each page, one rejected record and their owners."""
    path, records = tmp_path_factory.mktemp("whole") / "outbox.sqlite3", _drawings(20)
    outbox = Outbox(path)
    for record in records:
        outbox.put(record)
    outbox.put(REJECTED)
    outbox.reject(REJECTED, "violates a constraint")
    outbox.close()  # moves the log into the file
    return path, records


@pytest.fixture
def records(whole, path):
    path.parent.mkdir()
    shutil.copy(whole[0], path)
    return whole[1]


def _drawings(count: int) -> list[Record]:
    return [
        replace(RECORD, id=uuid.uuid4(), drawing=NOISE.randbytes(1500), visitor=VISITOR) for _ in range(count)
    ]


def overwrite(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


def set_aside_files(path: Path) -> list[Path]:
    """The files that were set aside, without their -wal and -shm files."""
    found = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    return [aside for aside in found if not aside.name.endswith(("-wal", "-shm"))]


def waiting(outbox: Outbox) -> set[uuid.UUID]:
    return {record.id for record in outbox.oldest(1000)}


def read_rejected(path: Path) -> list[tuple]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT id, drawing, reason FROM rejected").fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize("length", [16, 100, PAGE_BYTES], ids=["its name", "its header", "its first page"])
def test_an_overwritten_header_loses_nothing(outbox, path, records, caplog, length):
    overwrite(path, 0, NOISE.randbytes(length))
    damaged = path.read_bytes()
    assert outbox.oldest(1000) == records
    assert set(outbox.drawing_ids(VISITOR)) == {record.id for record in records}
    assert read_rejected(path) == [(str(REJECTED.id), REJECTED.drawing, "violates a constraint")]
    [aside] = set_aside_files(path)
    assert aside.read_bytes() == damaged
    [line] = [record.message for record in caplog.records]
    assert str(aside) in line
    assert "waiting 20, rejected 1, drawn 0, owner 20" in line


@pytest.mark.parametrize(
    ("page", "rows"),
    [(2, 0), (3, 0), (5, 0), (10, 0), (14, 3), (18, 2)],
    ids=["root page of waiting", "an index", "rejected", "owner", "the first drawings", "others"],
)
def test_an_overwritten_page_loses_at_most_its_rows(outbox, path, records, page, rows):
    """Also a root page, which points to all rows of its table."""
    overwrite(path, (page - 1) * PAGE_BYTES, NOISE.randbytes(PAGE_BYTES))
    kept = outbox.oldest(1000)
    assert all(record in records for record in kept)
    assert len(kept) == 20 if rows == 0 else 17 <= len(kept) < 20
    outbox.put(RECORD)
    assert outbox.find([RECORD.id]) == [RECORD]
    assert len(set_aside_files(path)) == 1


@pytest.mark.parametrize(("share", "at_least"), [(0.03, 0), (0.5, 0), (0.75, 1), (0.9, 14)])
def test_the_rest_of_a_truncated_file_is_read(outbox, path, records, share, at_least):
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    kept = outbox.oldest(1000)
    assert all(record in records for record in kept)
    assert at_least <= len(kept) < 20
    assert len(set_aside_files(path)) == 1


def test_an_empty_file_is_an_empty_outbox(outbox, path, records):
    path.write_bytes(b"")
    assert outbox.oldest(1000) == []
    outbox.put(RECORD)
    assert outbox.oldest(1000) == [RECORD]
    assert set_aside_files(path) == []


@pytest.fixture
def logged(outbox, path, records, tmp_path):
    """The files of a killed process, with eight more records in the log; and all records."""
    more = _drawings(8)
    for record in more:
        outbox.put(record)
    copy = tmp_path / "killed" / path.name
    shutil.copytree(path.parent, copy.parent)
    assert log_of(copy).stat().st_size > len(more) * PAGE_BYTES
    return copy, [*records, *more]


def _open_elsewhere(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("SELECT count(*) FROM drawn").fetchall()
    return connection


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_damaged_log_loses_the_records_after_the_damage(logged, share):
    """SQLite reads a log up to the first wrong checksum and reports no damage."""
    path, records = logged
    overwrite(log_of(path), int(log_of(path).stat().st_size * share), NOISE.randbytes(100))
    outbox = Outbox(path)
    kept = outbox.oldest(1000)
    assert kept == records[: len(kept)]
    assert 20 + 8 * share - 3 < len(kept) < 28
    outbox.put(RECORD)
    assert outbox.find([RECORD.id]) == [RECORD]
    outbox.close()
    assert set_aside_files(path) == []


def test_the_log_of_a_damaged_file_is_read_and_set_aside(logged):
    path, records = logged
    log = log_of(path).read_bytes()
    another_process = _open_elsewhere(path)  # else SQLite moves the log into the file at close
    overwrite(path, 16 * PAGE_BYTES, NOISE.randbytes(PAGE_BYTES))
    outbox = Outbox(path)
    kept = outbox.oldest(1000)
    another_process.close()
    assert len(kept) >= 25
    assert kept[-8:] == records[-8:]
    outbox.close()
    [aside] = set_aside_files(path)
    assert log_of(aside).read_bytes() == log


def test_an_undecodable_record_does_not_block_the_others(outbox, path, records):
    """SQLite does not check the content of values."""
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE waiting SET record = CAST(? AS TEXT) WHERE id = ?", (b"\xff\xfe", str(records[7].id))
    )
    connection.commit()
    connection.close()
    with pytest.raises(OutboxError):
        outbox.oldest(1000)
    assert outbox.oldest(1000) == records[:7] + records[8:]
    assert len(set_aside_files(path)) == 1


def test_damage_found_during_a_transaction_is_repaired(outbox, path, records, monkeypatch):
    monkeypatch.setattr("ui.damage.MOST_CHECKED_BYTES", 0)
    overwrite(path, 16 * PAGE_BYTES, NOISE.randbytes(PAGE_BYTES))
    with pytest.raises(OutboxError, match="malformed"):
        outbox.oldest(1000)
    assert len(outbox.oldest(1000)) >= 17
    assert len(set_aside_files(path)) == 1


def test_another_process_continues_with_the_new_file(outbox, path, records):
    """Its connection still writes to the file that was set aside."""
    other = Outbox(path)
    assert len(other.oldest(1000)) == 20
    overwrite(path, 0, NOISE.randbytes(100))
    assert len(outbox.oldest(1000)) == 20  # opens the file and replaces it
    mine, others = (replace(RECORD, id=uuid.uuid4()) for _ in range(2))
    outbox.put(mine)
    other.put(others)  # closes its connection to the old file
    assert waiting(outbox) == waiting(other) == {record.id for record in (*records, mine, others)}
    other.close()
    outbox.close()
    assert len(waiting(outbox)) == 22
    assert len(set_aside_files(path)) == 1


def test_a_file_that_another_process_replaced_is_not_replaced_again(outbox, path, records):
    overwrite(path, 0, NOISE.randbytes(100))
    damaged = damage.identity(path)
    for _ in range(2):
        damage.replace_damaged(path, damaged, SCHEMA, "a test")
    assert len(outbox.oldest(1000)) == 20
    assert len(set_aside_files(path)) == 1


def test_one_of_several_threads_replaces_the_file(path, records):
    overwrite(path, 0, NOISE.randbytes(100))
    outboxes = [Outbox(path) for _ in range(8)]
    added = [replace(RECORD, id=uuid.uuid4()) for _ in outboxes]
    threads = [
        threading.Thread(target=outbox.put, args=(record,))
        for outbox, record in zip(outboxes, added, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waiting(outboxes[0]) == {record.id for record in (*records, *added)}
    for outbox in outboxes:
        outbox.close()
    assert len(set_aside_files(path)) == 1


@pytest.mark.service
def test_one_of_several_processes_replaces_the_file(outbox, path, records):
    overwrite(path, 0, NOISE.randbytes(100))
    command = [sys.executable, "-c", PUT_ONE, path]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    added = {uuid.UUID(process.communicate()[0].strip()) for process in processes}
    assert waiting(outbox) == {record.id for record in records} | added
    assert len(set_aside_files(path)) == 1


@pytest.mark.parametrize("stopped_at", [1, 2])
def test_a_process_killed_during_the_replacement_loses_nothing(logged, monkeypatch, caplog, stopped_at):
    path, records = logged
    another_process = _open_elsewhere(path)
    overwrite(path, 16 * PAGE_BYTES, NOISE.randbytes(PAGE_BYTES))
    rename, renamed = Path.rename, []

    def rename_or_die(old, new):
        if len(renamed) == stopped_at:
            raise KeyboardInterrupt
        renamed.append(old)
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", rename_or_die)
    with pytest.raises(KeyboardInterrupt):
        Outbox(path).oldest(1000)
    monkeypatch.undo()
    assert not path.exists()
    outbox = Outbox(path)
    assert outbox.oldest(1000)[-8:] == records[-8:]
    outbox.close()
    another_process.close()
    assert "a killed process had read" in caplog.text
    assert not path.with_name(f"{path.name}.new").exists()


def test_a_full_disk_leaves_the_damaged_file_in_its_place(outbox, path, records, monkeypatch):
    overwrite(path, 0, NOISE.randbytes(100))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ui.salvage.shutil.copyfile", full)
    damaged = path.read_bytes()
    with pytest.raises(OutboxError, match="No space left"):
        outbox.put(RECORD)
    assert path.read_bytes() == damaged
    assert set_aside_files(path) == []
    monkeypatch.undo()
    assert len(outbox.oldest(1000)) == 20


def test_two_damaged_files_of_one_second_get_different_names(outbox, path, records, monkeypatch):
    monkeypatch.setattr("ui.damage.time.strftime", lambda _: "20261129-201500")
    for _ in range(2):
        overwrite(path, 0, NOISE.randbytes(100))
        assert len(outbox.oldest(1000)) == 20
        outbox.close()
    assert [aside.name for aside in set_aside_files(path)] == [
        "outbox.sqlite3.damaged-20261129-201500",
        "outbox.sqlite3.damaged-20261129-201500-2",
    ]


def test_a_locked_file_is_not_damage(outbox, path, records, monkeypatch):
    monkeypatch.setattr("ui.outbox_file.BUSY_TIMEOUT_S", 0.05)
    outbox.oldest(1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outbox.close()
    with pytest.raises(OutboxError, match="locked"):
        outbox.put(RECORD)
    other.close()
    assert len(outbox.oldest(1000)) == 20
    assert set_aside_files(path) == []


def test_a_transaction_waits_for_a_replacement(outbox, path, records, monkeypatch):
    monkeypatch.setattr("ui.damage.LOCK_TIMEOUT_S", 0.05)
    with damage.lock(path, fcntl.LOCK_SH):
        assert len(outbox.oldest(1000)) == 20
        overwrite(path, 0, NOISE.randbytes(100))
        with pytest.raises(OutboxError):
            Outbox(path).oldest(1000)
    assert set_aside_files(path) == []


def test_a_folder_at_the_path_is_not_damage(tmp_path):
    (tmp_path / "outbox.sqlite3").mkdir()
    with pytest.raises(OutboxError, match="unable to open"):
        Outbox(tmp_path / "outbox.sqlite3").put(RECORD)
    assert set_aside_files(tmp_path / "outbox.sqlite3") == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("CORRUPT", True), ("CORRUPT_INDEX", True), ("NOTADB", True), ("FULL", False), ("BUSY", False),
     ("LOCKED", False), ("READONLY", False), ("PERM", False), ("IOERR", False), ("IOERR_FSYNC", False),
     ("IOERR_SHORT_READ", False), ("CANTOPEN", False), ("NOMEM", False), ("AUTH", False), ("ERROR", False)],
)  # fmt: skip
def test_damage_is_recognized_by_sqlites_error_code(name, expected):
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}")
    assert damage.is_damage(error) == expected


def test_nothing_else_is_damage():
    for error in (
        OSError(errno.ENOSPC, "full"),
        PermissionError(),
        ValueError(),
        KeyError("id"),
        KeyboardInterrupt(),
        json.JSONDecodeError("cut", "{", 1),  # one record, which is set aside
    ):
        assert not damage.is_damage(error)


def test_check_repairs_a_damaged_outbox(path, records, monkeypatch, caplog):
    """`make up` waits for it."""
    monkeypatch.setenv("OUTBOX_PATH", str(path))
    monkeypatch.setattr(deliverer, "LATE_AFTER_S", 60.0)
    overwrite(path, 0, NOISE.randbytes(100))
    assert deliverer.main(["--check"]) == 0
    assert "is set aside as" in caplog.text


def test_a_file_of_an_earlier_release_is_read(tmp_path):
    """Its table lacks a column. Rows with all required values are copied."""
    path = tmp_path / "outbox.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE drawn (visitor TEXT, id TEXT)")
    connection.execute("INSERT INTO drawn VALUES ('a visitor', ?)", (str(RECORD.id),))
    connection.commit()
    connection.close()
    schema = "CREATE TABLE drawn (visitor TEXT, id TEXT PRIMARY KEY, since REAL NOT NULL DEFAULT 0);"
    damage.replace_damaged(path, damage.identity(path), schema, "a test")
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM drawn").fetchall() == [("a visitor", str(RECORD.id), 0.0)]
    connection.close()
