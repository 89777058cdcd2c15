"""The content of a backup, and the reasons to refuse one. tests/system/over_http has a backup with its restore."""

import json
import tarfile

import pytest

from ops.data import backup
from ops.errors import OpsError
from ops.versions.state import RELEASED, Versions, archive_name
from tests.ops.conftest import write_archive


def test_a_backup_is_complete_and_private(server, backup_file, capsys):
    with tarfile.open(backup_file) as tar:
        assert tar.getnames() == [
            "database.dump",
            f"model_store/{archive_name(RELEASED)}",
            "versions.json",
            "contents.json",
        ]
        assert json.load(tar.extractfile("versions.json"))["default"] == RELEASED
        assert (
            tar.extractfile(f"model_store/{archive_name(RELEASED)}").read()
            == (server.model_store / archive_name(RELEASED)).read_bytes()
        )
    assert backup_file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in backup_file.parent.iterdir()] == ["backup.tar"]
    assert list(server.run.glob("backup-*")) == []


def test_a_backup_needs_the_database(system, tmp_path):
    (system.secrets / "database_owner_password").write_text("a-password")
    write_archive(system.model_store, RELEASED)
    with pytest.raises(OpsError, match=r"pg_dump failed: .* Is the database running\? See: make status"):
        backup.backup(system, str(tmp_path / "backup_file.tar"))
    assert list(tmp_path.glob("backup_file*")) == []


@pytest.mark.parametrize(
    "versions", [Versions("1.5"), Versions(RELEASED, previous="1.5"), Versions(RELEASED, split={"1.5": 0.1})]
)
def test_a_missing_archive_prevents_the_backup(server, count_drawings, tmp_path, versions):
    versions.write(server.versions)
    with pytest.raises(
        OpsError, match=r"mnist-1\.5\.mar is missing, but \S+ names version 1\.5: no backup is"
    ):
        backup.backup(server, str(tmp_path / "backup_file.tar"))
    assert list(tmp_path.glob("backup_file*")) == []


def test_a_damaged_archive_prevents_the_backup(server, count_drawings, tmp_path):
    archive = server.model_store / archive_name("1.5")
    for content, message in (
        (b"no zip", r"is damaged: BadZipFile"),
        (b"", r"is damaged: BadZipFile"),
        (write_archive(tmp_path, "1.6").read_bytes(), r"contains mnist 1\.6, not mnist 1\.5"),
        (write_archive(tmp_path, "1.5", "other").read_bytes(), r"contains other 1\.5, not mnist 1\.5"),
    ):
        archive.write_bytes(content)
        with pytest.raises(OpsError, match=rf"mnist-1\.5\.mar {message}\. No backup is made\. Delete"):
            backup.backup(server, str(tmp_path / "backup_file.tar"))
        assert list(tmp_path.glob("backup_file*")) == []


def test_a_backup_has_no_candidate(server, count_drawings, tmp_path):
    Versions(RELEASED, candidate="1.5").write(server.versions)
    backup.backup(server, str(tmp_path / "backup_file.tar"))
    with tarfile.open(tmp_path / "backup_file.tar") as tar:
        assert json.load(tar.extractfile("versions.json"))["candidate"] is None
