"""`make restore`: rejected backups change nothing. tests/system/over_http tests a whole system."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ops.data import backup, restore, secrets
from ops.errors import OpsError, UsageError
from ops.native import postgres
from ops.versions.state import RELEASED, Versions, archive_name
from tests.ops.conftest import write_archive
from tests.system.running import first_port

COUNTED = "SELECT sum(drawings) FROM insights WHERE facet = 'answer'"
ARCHIVE = f"model_store/{archive_name(RELEASED)}"


@pytest.fixture(autouse=True)
def database_only(monkeypatch, tmp_path):
    """Reload no part, because only the database runs. Back up the current state to the test's folder."""
    monkeypatch.setattr(restore, "_reload_parts", lambda system, changed: None)
    monkeypatch.setattr(backup, "FOLDER", tmp_path / "saved")


@pytest.fixture
def state(server, count_drawings):
    """The current state of everything that a restore changes."""

    def now():
        with psycopg.connect(postgres.owner_url(server)) as connection:
            rows = connection.execute("SELECT * FROM predictions ORDER BY id").fetchall()
            databases = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
            roles = connection.execute("SELECT rolname FROM pg_roles ORDER BY 1").fetchall()
        archives = {path.name: path.read_bytes() for path in server.model_store.iterdir()}
        return rows, archives, Versions.read(server.versions), databases, roles

    return now


def _files(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames() if name != backup.CONTENTS}


def _tar(path: Path, files: dict[str, bytes]) -> str:
    """A tar with the checksums of its files, unless `files` has others."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    with tarfile.open(path, "w") as tar:
        for name, content in {backup.CONTENTS: json.dumps(digests).encode(), **files}.items():
            information = tarfile.TarInfo(name)
            information.size = len(content)
            tar.addfile(information, io.BytesIO(content))
    return str(path)


def _draw(server, count: int) -> None:
    with psycopg.connect(postgres.owner_url(server)) as connection:
        for _ in range(count):
            connection.execute(
                "INSERT INTO predictions SELECT gen_random_uuid(), now(), prediction, confidence, probabilities, "
                "is_digit, digit_score, model_version, latency_ms, true_label, labelled_at, drawing, revision "
                "FROM predictions LIMIT 1"
            )


def _restore_error(server, state, path, expected) -> str:
    """The error of a rejected restore, which must change nothing."""
    before = state()
    with pytest.raises(OpsError, match=expected) as raised:
        restore.restore(server, str(path))
    assert state() == before
    return str(raised.value)


def test_a_truncated_backup_changes_nothing(server, state, backup_file):
    whole = backup_file.read_bytes()
    for share in (0.0, 0.3, 0.6):
        backup_file.write_bytes(whole[: int(share * len(whole))])
        _restore_error(server, state, backup_file, "not a complete backup")


def test_an_unknown_file_in_a_backup_is_rejected(server, state, backup_file, tmp_path):
    whole = _files(backup_file)
    for name in ("../../escaped", "/escaped", "model_store/../x", "model_store/mnist-x.mar", "x"):
        bad = _tar(tmp_path / "bad.tar", {name: b"x", **whole})
        _restore_error(server, state, bad, "which no backup contains: nothing is restored")


# Wrong content of a file in a backup, or no file, and the error.
_SHARE = b'{"default": "1.3", "split": {"1.5": 1.5}}'
_PREVIOUS = json.dumps({"default": RELEASED, "previous": "7.4"}).encode()
_MISSING = r"mnist-7\.4\.mar is missing in the backup"
WRONG_PARTS = [
    (
        {backup.VERSIONS: b"{"},
        r"versions\.json in the backup is not a valid versions file: its format is wrong",
    ),
    (
        {backup.VERSIONS: _SHARE},
        r"versions\.json in the backup .*: 'split' gives version 1\.5 the share 1\.5",
    ),
    ({backup.VERSIONS: b'{"default": "7.4"}'}, rf"{_MISSING}, but its versions\.json names version 7\.4"),
    ({backup.VERSIONS: _PREVIOUS}, _MISSING),
    ({ARCHIVE: None}, r"mnist-\S+\.mar is missing in the backup"),
    ({backup.DUMP: b"PGDMP, and rubbish"}, r"database\.dump in the backup cannot be read: pg_restore"),
    ({backup.DUMP: b""}, r"database\.dump in the backup cannot be read: pg_restore"),
    ({backup.DUMP: None}, r"database\.dump is damaged in the backup"),
    ({backup.VERSIONS: None}, r"versions\.json is damaged in the backup"),
    ({ARCHIVE: b"no zip"}, r"In the backup mnist-\S+\.mar is damaged: BadZipFile"),
    ({"model_store/mnist-7.4.mar": b""}, r"In the backup mnist-7\.4\.mar is damaged: BadZipFile"),
]


def test_a_wrong_file_is_named_and_nothing_changes(server, state, backup_file, tmp_path):
    whole = _files(backup_file)
    for changed, expected in WRONG_PARTS:
        files = {name: content for name, content in {**whole, **changed}.items() if content is not None}
        message = _restore_error(server, state, _tar(tmp_path / "bad.tar", files), expected)
        assert "nothing is restored" in message
        assert len(message.splitlines()) == 1
        assert not (tmp_path / "saved").exists()


def test_deeply_nested_contents_are_rejected(server, state, backup_file, tmp_path):
    path = _tar(tmp_path / "deep.tar", {**_files(backup_file), backup.CONTENTS: b"[" * 100_000})
    _restore_error(server, state, path, r"FILE is not a complete backup \(RecursionError\)")


def test_a_wrong_or_damaged_archive_is_rejected(server, state, backup_file, tmp_path):
    whole = _files(backup_file)
    other = write_archive(tmp_path, "7.5").read_bytes()
    flipped = write_archive(tmp_path, "7.4", weights="w" * 100).read_bytes().replace(b"w" * 100, b"v" * 100)
    for content, expected in (
        (other, r"contains mnist 7\.5, not mnist 7\.4"),
        (flipped, r"is damaged: wrong checksum of weights|is damaged: BadZipFile"),
    ):
        files = whole | {"model_store/mnist-7.4.mar": content}
        bad, message = (
            _tar(tmp_path / "bad.tar", files),
            rf"In the backup mnist-7\.4\.mar ({expected}): nothing is",
        )
        with pytest.raises(OpsError, match=message):
            restore.check(server, bad)
        _restore_error(server, state, bad, message)


def test_a_restore_replaces_a_damaged_or_missing_archive(server, backup_file):
    archive = server.model_store / archive_name(RELEASED)
    whole = archive.read_bytes()
    archive.write_bytes(b"no zip")
    restore.restore(server, str(backup_file))
    assert archive.read_bytes() == whole
    archive.unlink()
    restore.restore(server, str(backup_file))
    assert archive.read_bytes() == whole


def test_an_unlisted_file_is_rejected(server, state, backup_file):
    with tarfile.open(backup_file, "a") as tar:
        tar.addfile(tarfile.TarInfo("model_store/mnist-6.6.mar"))
    _restore_error(
        server, state, backup_file, r"mnist-6\.6\.mar is damaged in the backup: nothing is restored"
    )


@pytest.mark.parametrize(
    ("statement", "version"),
    [
        ("INSERT INTO schema_migrations VALUES ('0099')", "0099"),
        ("DELETE FROM schema_migrations WHERE version = '0002'", r"\d{4}"),
        ("DELETE FROM schema_migrations", "none"),
    ],
)
def test_an_unknown_schema_version_is_rejected(server, state, tmp_path, statement, version):
    with psycopg.connect(postgres.owner_url(server)) as connection:
        connection.execute(statement)
    newer = tmp_path / "newer.tar"
    backup.backup(server, str(newer))
    expected = rf"has schema version {version}\. This checkout knows 0001 to \d{{4}}: nothing is"
    _restore_error(server, state, newer, expected)


def test_a_damaged_dump_is_rejected(server, state, backup_file, tmp_path):
    files = _files(backup_file)
    bad = _tar(tmp_path / "bad.tar", files | {backup.DUMP: files[backup.DUMP][:-300]})
    _restore_error(server, state, bad, r"database\.dump in the backup cannot be read: pg_restore failed")


def test_an_invalid_row_changes_nothing(server, state, tmp_path):
    with psycopg.connect(postgres.owner_url(server)) as connection:
        connection.execute("ALTER TABLE predictions DROP CONSTRAINT predictions_revision_check")
        connection.execute("UPDATE predictions SET revision = 0")
    wrong = tmp_path / "wrong.tar"
    backup.backup(server, str(wrong))
    _restore_error(
        server, state, wrong, r"so nothing is restored: pg_restore failed: .*violates check constraint"
    )


def test_without_a_backup_of_the_current_state_nothing_is_restored(server, state, backup_file, tmp_path):
    (tmp_path / "saved").write_text("a file in place of the folder")
    _restore_error(server, state, backup_file, r"so nothing is restored: FILE .* cannot be written")


def test_a_restore_can_be_reverted(server, count_drawings, state, backup_file, capsys):
    with psycopg.connect(postgres.owner_url(server)) as connection:
        connection.execute("UPDATE predictions SET true_label = 7, labelled_at = now(), revision = 2")
        connection.execute(sql.SQL("COMMENT ON TABLE predictions IS 'of before'"))
    _draw(server, 2)
    of_before = (server.model_store / archive_name(RELEASED)).read_bytes()
    write_archive(server.model_store, RELEASED, more="another archive")
    write_archive(server.model_store, "1.5")
    Versions("1.5", previous=RELEASED).write(server.versions)
    rows, archives, versions, databases, roles = state()
    capsys.readouterr()

    restore.restore(server, str(backup_file))
    printed = capsys.readouterr().out.splitlines()
    assert count_drawings() == 3
    assert Versions.read(server.versions) == Versions(RELEASED)
    assert (server.model_store / archive_name(RELEASED)).read_bytes() == of_before
    assert state()[3:] == (databases, roles)
    summary = "Restored 3 drawings, 0 of them labelled, and 2 archives."
    assert printed[1] == f"{summary} Version {RELEASED} is the default."
    way_back = "To return to the state before: make restore FILE="
    assert printed[2].startswith(f"{way_back}{backup.FOLDER}/before-restore-")

    restore.restore(server, printed[2].removeprefix(way_back))
    assert state() == (rows, archives, versions, databases, roles)
    assert list(server.run.glob("backup-*")) == []


def test_a_restore_keeps_the_rights_of_the_page(server, backup_file):
    restore.restore(server, str(backup_file))
    password = secrets.read(server, "database_page_password")
    with psycopg.connect(postgres.role_url(server), password=password, autocommit=True) as page:
        assert page.execute(COUNTED).fetchone() == (3,)
        page.execute("UPDATE predictions SET true_label = 1, labelled_at = now(), revision = revision + 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            page.execute("DELETE FROM predictions")


def test_a_restore_migrates_an_older_schema(server, count_drawings, tmp_path):
    postgres.migrate_down_to(server, "0002")
    older = tmp_path / "older.tar"
    backup.backup(server, str(older))
    postgres.migrate(server)
    newest = postgres.schema_version(server)
    restore.restore(server, str(older))
    assert count_drawings() == 3
    assert postgres.schema_version(server) == newest
    with psycopg.connect(postgres.owner_url(server)) as connection:
        assert connection.execute(COUNTED).fetchone() == (3,)


def test_a_restore_ends_all_connections(server, count_drawings, backup_file):
    with psycopg.connect(postgres.owner_url(server), autocommit=True) as connection:
        restore.restore(server, str(backup_file))
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert count_drawings() == 3


def test_a_restore_cleans_up_after_a_killed_one(server, state, backup_file):
    before = state()
    with psycopg.connect(postgres.owner_url(server), autocommit=True) as connection:
        for name in (restore.NEW, restore.OLD):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(restore.LOADER)))
    restore.restore(server, str(backup_file))
    assert state() == before


# Replaces the COPY of the drawings in a dump.
STATEMENTS = [
    "COPY public.predictions FROM PROGRAM 'touch {}'",
    "COPY (SELECT 1) TO '{}'",
    "SELECT lo_export(lo_creat(-1), '{}')",
    "SET ROLE owner; COPY (SELECT 1) TO '{}'",
    "ALTER ROLE loader SUPERUSER; COPY (SELECT 1) TO '{}'",
    "CREATE TABLE public.mine (); COPY (SELECT 1) TO '{}'",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS $$SELECT 1$$",
    "DELETE FROM public.predictions",
]


def _with_copy_statement(dump: bytes, statement: str) -> bytes:
    """The dump with a statement of the same length instead of the COPY of its drawings."""
    begin = dump.index(b"COPY public.predictions (")
    end = dump.index(b";\n", begin)
    assert len(statement) < end - begin
    return dump[:begin] + statement.encode().ljust(end - begin) + dump[end:]


def test_a_statement_in_a_dump_is_not_executed(server, state, backup_file, tmp_path):
    whole = _files(backup_file)
    touched = server.state / "touched"
    server.state.chmod(0o777)  # PostgreSQL may run as another user
    for statement in STATEMENTS:
        dump = _with_copy_statement(whole[backup.DUMP], statement.format(touched))
        bad = _tar(tmp_path / "bad.tar", whole | {backup.DUMP: dump})
        _restore_error(server, state, bad, r"so nothing is restored: pg_restore failed: .*(denied|must be)")
        assert not touched.exists()
    assert not (tmp_path / "saved").exists()


def test_functions_and_triggers_of_a_dump_are_ignored(server, count_drawings, tmp_path):
    with psycopg.connect(postgres.owner_url(server)) as connection:
        connection.execute(
            """
            CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                DELETE FROM predictions;
                RETURN NULL;
            END $$;
            CREATE TRIGGER mine AFTER INSERT OR UPDATE ON predictions FOR EACH STATEMENT EXECUTE FUNCTION mine();
            GRANT DELETE ON predictions TO page;
            """
        )
    bad = tmp_path / "bad.tar"
    backup.backup(server, str(bad))
    restore.restore(server, str(bad))
    assert count_drawings() == 3
    with psycopg.connect(postgres.owner_url(server)) as connection:
        assert connection.execute("SELECT count(*) FROM pg_proc WHERE proname = 'mine'").fetchone() == (0,)
        may_delete = "SELECT has_table_privilege('page', 'predictions', 'DELETE')"
        assert connection.execute(may_delete).fetchone() == (False,)


@pytest.mark.parametrize(
    ("name", "expected"), [("", "FILE is missing"), ("nowhere.tar", "FILE 'nowhere.tar' cannot be")]
)
def test_a_missing_file_is_named(server, name, expected):
    with pytest.raises(UsageError, match=expected):
        restore.restore(server, name)


def test_without_the_database_nothing_is_restored(server, backup_file):
    away = replace(server, gateway_port=first_port())
    with pytest.raises(OpsError, match=r"so nothing is restored: .*refused"):
        restore.restore(away, str(backup_file))
