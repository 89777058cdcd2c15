"""What `make restore` refuses, and that a restore which fails changes nothing; a whole one: tests/system/over_http."""

import hashlib
import io
import json
import tarfile

import psycopg
import pytest

from ops import backup, postgres
from ops.errors import OpsError, UsageError
from ops.versions import RELEASED, Versions, archive_name

INSERT = """
    INSERT INTO predictions (id, created_at, prediction, confidence, probabilities, is_digit, digit_score,
                             model_version, latency_ms, drawing, revision)
    SELECT gen_random_uuid(), now(), 7, 0.9, array_fill(0.1::real, ARRAY[10]), true, 0.9, '1.0', 3.5, 'png', 1
    FROM generate_series(1, 3)
"""


@pytest.fixture
def drawn(server):
    """A server whose database has three drawings; how many there are."""
    postgres.migrate(server)
    (server.model_store / archive_name(RELEASED)).write_bytes(b"an archive")
    with psycopg.connect(postgres.owner_url(server)) as connection:
        connection.execute(INSERT)

    def count() -> int:
        with psycopg.connect(postgres.owner_url(server)) as connection:
            return connection.execute("SELECT count(*) FROM predictions").fetchone()[0]

    return count


@pytest.fixture
def kept(server, drawn, tmp_path):
    path = tmp_path / "backups" / "kept.tar"
    backup.backup(server, str(path))
    return path


def _tar(path, files: dict[str, bytes]) -> str:
    """A tar that says of itself what is in it."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    with tarfile.open(path, "w") as tar:
        for name, content in {**files, backup.CONTENTS: json.dumps(digests).encode()}.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            tar.addfile(information, io.BytesIO(content))
    return str(path)


def test_a_backup_holds_all_of_it_and_is_its_owners_alone(server, kept, capsys):
    with tarfile.open(kept) as tar:
        assert tar.getnames() == [
            "database.dump",
            f"model_store/{archive_name(RELEASED)}",
            "versions.json",
            "contents.json",
        ]
        assert json.load(tar.extractfile("versions.json"))["default"] == RELEASED
        assert tar.extractfile(f"model_store/{archive_name(RELEASED)}").read() == b"an archive"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["kept.tar"]
    assert list(server.run.glob("backup-*")) == []


def test_without_the_database_there_is_no_backup(system, tmp_path):
    (system.secrets / "database_owner_password").write_text("a-password")
    with pytest.raises(OpsError, match="pg_dump failed: "):
        backup.backup(system, str(tmp_path / "kept.tar"))
    assert list(tmp_path.glob("kept*")) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_a_backup_that_is_cut_off_changes_nothing(server, drawn, kept, share):
    cut = kept.with_name("cut.tar")
    cut.write_bytes(kept.read_bytes()[: int(share * kept.stat().st_size)])
    with pytest.raises(OpsError, match="not a complete backup"):
        backup.restore(server, str(cut))
    assert drawn() == 3


@pytest.mark.parametrize(
    "name", ["../../escaped", "/escaped", "model_store/../x", "model_store/mnist-x.mar", "x"]
)
def test_what_belongs_in_no_backup_is_refused(server, drawn, tmp_path, name):
    files = {name: b"x", backup.DUMP: b"x", backup.VERSIONS: b"{}"}
    with pytest.raises(OpsError, match="which no backup contains: nothing is restored"):
        backup.restore(server, _tar(tmp_path / "bad.tar", files))
    assert drawn() == 3


def test_a_dump_that_the_database_refuses_leaves_it_as_it_was(server, drawn, tmp_path):
    files = {backup.DUMP: b"PGDMP, and then rubbish", backup.VERSIONS: b'{"default": "1.0"}'}
    with pytest.raises(OpsError, match="pg_restore failed: "):
        backup.restore(server, _tar(tmp_path / "bad.tar", files))
    assert drawn() == 3
    assert Versions.read(server.versions).default == RELEASED


@pytest.mark.parametrize(
    ("name", "said"), [("", "FILE is missing"), ("nowhere.tar", "FILE 'nowhere.tar' cannot be")]
)
def test_a_file_that_is_not_there_is_named(server, name, said):
    with pytest.raises(UsageError, match=said):
        backup.restore(server, name)
