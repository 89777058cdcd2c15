"""References for drift are copied from the archives to the database; a system without them works."""

import json
import logging
import sys

import psycopg
import pytest

from ops.__main__ import COMMANDS
from ops.data import backup, restore, secrets
from ops.native import postgres
from ops.versions import swap
from ops.versions.references import REFERENCE, write_references
from ops.versions.report import Report
from ops.versions.state import RELEASED, Versions
from ops.versions.store import FileStore
from tests.ops.conftest import write_archive

VALUES = {"digit": [7, 1], "confidence": [0.9, 1.0], "digit_score": [0.9, 0.2], "ink_share": [0.1, 0.2]}


def _count_bins(system):
    """The number of bins of each feature of each version."""
    with psycopg.connect(postgres.owner_url(system)) as connection:
        rows = connection.execute(
            "SELECT model_version, feature, count(*) FROM model_reference GROUP BY 1, 2"
        )
        return {(version, feature): count for version, feature, count in rows}


def test_the_references_of_all_archives_are_written_once(migrated):
    write_archive(migrated.model_store, "1.3")  # has no reference
    write_archive(migrated.model_store, "1.4", **{REFERENCE: json.dumps(VALUES)})
    for _ in range(2):
        write_references(migrated)
        assert _count_bins(migrated) == {
            ("1.4", "digit"): 10,
            ("1.4", "confidence"): 3,
            ("1.4", "digit_score"): 4,
            ("1.4", "ink_share"): 10,
        }


def test_a_swap_writes_the_reference_of_a_new_archive(migrated, monkeypatch):
    write_archive(migrated.model_store, "9.9", **{REFERENCE: json.dumps({"digit": [7]})})
    monkeypatch.setattr(swap, "_wait_until_checked", lambda store, version: 1.0)
    migrated.make_folders()
    store = FileStore(migrated)
    store.report(Report())
    swap._check_candidate(migrated, store, store.read(), "9.9")
    assert _count_bins(migrated) == {("9.9", "digit"): 10}


@pytest.fixture
def restored_logging(monkeypatch):
    """Restore the logging of the process, which the command configures as JSON."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    logging.captureWarnings(False)
    root.handlers[:], root.level = before


def _read_log(capsys) -> list[tuple[str, str, str]]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [(line["part"], line["level"], line["message"]) for line in lines]


@pytest.mark.usefixtures("restored_logging")
def test_the_migrations_container_writes_references_and_logs_unusable_ones(server, capsys):
    write_archive(server.model_store, "1.3", **{REFERENCE: json.dumps({"digit": [7]})})
    other = write_archive(server.model_store, "1.4", **{REFERENCE: json.dumps({"digit": "none"})})
    assert COMMANDS["migrate"].run(server)
    assert _count_bins(server) == {("1.3", "digit"): 10}
    [warning, last] = _read_log(capsys)
    assert warning[:2] == ("migrations", "warning")
    assert warning[2].startswith(f"{REFERENCE} of {other} cannot be used")
    assert last == ("migrations", "info", f"the database has version {postgres.schema_version(server)}")


@pytest.mark.usefixtures("restored_logging")
def test_the_migrations_container_logs_the_reason_of_a_failure(system, capsys):
    secrets.ensure(system)
    assert COMMANDS["migrate"].run(system) is False
    [(part, level, message)] = _read_log(capsys)
    assert (part, level) == ("migrations", "error")
    assert message.startswith("The database could not be migrated:")


@pytest.mark.parametrize(
    "wrong", ["{", "[]", '{"digit": "seven"}', '{"digit": ["seven"]}', '{"digit": [1e99]}']
)
def test_an_invalid_reference_is_skipped(migrated, wrong):
    write_archive(migrated.model_store, "1.4", **{REFERENCE: wrong})
    write_archive(migrated.model_store, "1.5", **{REFERENCE: json.dumps({"digit": [7]})})
    write_references(migrated)
    assert _count_bins(migrated) == {("1.5", "digit"): 10}


def test_an_invalid_reference_is_reported_in_one_line(migrated, capsys):
    path = write_archive(migrated.model_store, "1.4", **{REFERENCE: '{"digit": ["seven"]}'})
    write_references(migrated)
    [line] = capsys.readouterr().out.splitlines()
    assert f"{REFERENCE} of {path} cannot be used, so 1.4 has no drift values: " in line
    assert '"seven"' in line


def test_an_unavailable_database_is_reported_in_one_line(system, capsys):
    system.secrets.joinpath("database_owner_password").write_text("x\n")
    write_references(system)
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("Database unavailable")


@pytest.mark.usefixtures("count_drawings")
def test_a_restored_system_has_the_references_of_its_archives(server, backup_file, monkeypatch, tmp_path):
    monkeypatch.setattr(backup, "FOLDER", tmp_path / "saved")
    monkeypatch.setattr(restore, "_reload_parts", lambda system, changed: None)
    write_archive(server.model_store, "9.9", **{REFERENCE: json.dumps({"digit": [7]})})
    Versions(RELEASED).write(server.versions)
    restore.restore(server, str(backup_file))
    assert _count_bins(server) == {("9.9", "digit"): 10}
