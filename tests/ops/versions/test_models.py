"""The table of versions of a stopped system, from state file and archives."""

import json

import pytest

from ops.versions.archives import PROVENANCE
from ops.versions.management import READY, Management, RegisteredVersion, Worker
from ops.versions.models import models
from ops.versions.state import Versions, archive_name
from tests.ops.conftest import write_archive


@pytest.fixture(autouse=True)
def archives(system) -> None:
    (system.secrets / "database_owner_password").write_text("none")
    for version in ("1.9", "1.10-rc1"):
        write_archive(system.model_store, version)
    provenance = json.dumps({"metrics": {"validation_accuracy": 0.995}})
    write_archive(system.model_store, "1.10", **{PROVENANCE: provenance})


def _row(system, capsys) -> str:
    """The row of version 1.10."""
    models(system)
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("1.10 ")]
    return row


def test_the_table_lists_the_newest_version_first(system, capsys):
    Versions("1.10", previous="1.8", split={"1.9": 0.25}).write(system.versions)
    models(system)
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["version", "role", "workers"]
    rows = {line.split()[0]: line for line in lines[:4]}
    assert list(rows) == ["1.10", "1.10-rc1", "1.9", "1.8"]
    assert "default, 75 %" in rows["1.10"]
    assert "99.50%" in rows["1.10"]
    assert "canary, 25 %" in rows["1.9"]
    assert "previous" in rows["1.8"]
    assert rows["1.8"].endswith("missing")
    assert any(line.startswith("TorchServe unavailable") for line in lines)
    assert any(line.startswith("Database unavailable") for line in lines)


def test_the_table_counts_ready_and_other_workers(system, capsys, monkeypatch):
    workers = {"9000": Worker(11, READY), "9001": Worker(-1, "UNLOADING")}
    found = {"1.10": RegisteredVersion("1.10", workers, wanted_workers=2, pending=0)}
    monkeypatch.setattr(Management, "list_versions", lambda _: found)
    row = _row(system, capsys)
    assert "1 ready, 1 not ready" in row


def test_the_table_lists_a_damaged_archive(system, capsys):
    (system.model_store / archive_name("1.10")).write_bytes(b"PK")
    row = _row(system, capsys)
    assert "%" not in row
