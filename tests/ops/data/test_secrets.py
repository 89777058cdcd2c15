import os
import shutil
import stat
import subprocess

import psycopg
import pytest

from ops.data import rotate, secrets
from ops.errors import OpsError
from ops.native import postgres, up
from ops.system import ROOT
from tests.ops.conftest import a_server

# The content of incompletely written files.
DAMAGED = [b"", b"\n", b"\0" * 33, b"\xff\xfe"]


def test_each_secret_is_written_once_and_private(system):
    written = secrets.ensure(system)
    assert {path.name for path in written} == set(secrets.NAMES)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    before = {name: secrets.read(system, name) for name in secrets.NAMES}
    assert len(set(before.values())) == len(before)
    assert all(len(value) >= 24 for value in before.values())

    assert secrets.ensure(system) == []
    assert {name: secrets.read(system, name) for name in secrets.NAMES} == before


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_secret_is_written_again(system, content):
    secrets.ensure(system)
    path = system.secrets / "database_page_password"
    path.write_bytes(content)
    assert secrets.is_lost(system, path.name)
    assert secrets.ensure(system) == [path]
    assert len(secrets.read(system, path.name)) >= 24


@pytest.mark.parametrize("content", [None, *DAMAGED])
def test_a_file_without_a_password_gets_a_one_line_error(system, content):
    path = system.secrets / "database_owner_password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OpsError) as raised:
        postgres.owner_url(system)
    assert str(raised.value) == (
        f"{path} holds no password: it is missing, empty or damaged. To get a new one run: make down, then make up"
    )


def test_a_folder_at_the_path_of_a_secret_is_reported(system):
    path = system.secrets / secrets.OWNER
    path.mkdir()
    for command in (secrets.ensure, lambda system: secrets.is_lost(system, path.name), postgres.owner_url):
        with pytest.raises(OpsError, match=rf"{secrets.OWNER} cannot be read: Is a directory\. It should be"):
            command(system)


def test_a_lost_owner_password_is_not_recreated_by_make_secrets(system):
    secrets.ensure(system)
    system.database.mkdir()
    (system.secrets / secrets.OWNER).write_text("")
    with pytest.raises(OpsError, match="a new one would not match the database"):
        rotate.secrets(system, "")
    assert (system.secrets / secrets.OWNER).read_text() == ""


@pytest.mark.service
def test_a_lost_owner_password_is_reset_in_the_database(system):
    with a_server(system):
        postgres.migrate(system)
    before = secrets.read(system, secrets.OWNER)
    (system.secrets / secrets.OWNER).write_text("")
    up._renew_owner_password(system)
    assert secrets.read(system, secrets.OWNER) != before
    assert [path.name for path in system.secrets.glob("*.new")] == []
    with a_server(system), psycopg.connect(postgres.owner_url(system)) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)


def _run_script(folder, command):
    """Run a command of ops/containers.sh in a folder, with a private umask and a docker that does nothing."""
    (folder / "ops").mkdir()
    shutil.copy(ROOT / "ops" / "containers.sh", folder / "ops")
    (folder / "docker").write_text("#!/bin/sh\n")
    (folder / "docker").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    script = [folder / "ops" / "containers.sh", command]
    return subprocess.run(script, env=environment, umask=0o077, capture_output=True, text=True, check=False)


def test_in_containers_a_lost_owner_password_is_not_recreated(tmp_path):
    path = tmp_path / "var" / "secrets" / "database_owner_password"
    path.parent.mkdir(parents=True)
    path.touch()
    done = _run_script(tmp_path, "secrets")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "var/secrets/database_owner_password is empty, and the database knows its password."
    )
    assert path.read_text() == ""


def test_in_containers_an_upgrade_creates_the_exporter_password(tmp_path):
    folder = tmp_path / "var" / "secrets"
    folder.mkdir(parents=True)
    for name in ("database_owner_password", "database_page_password", "operator_password", "s3_secret_key"):
        (folder / name).write_text("as it was")
    _run_script(tmp_path, "upgrade")
    made = folder / "database_exporter_password"
    assert len(made.read_text().strip()) == 32
    assert made.stat().st_mode & 0o777 == 0o444
    assert (folder / "database_owner_password").read_text() == "as it was"


def test_in_containers_the_exporter_can_list_the_backups(tmp_path):
    assert _run_script(tmp_path, "secrets").returncode == 0
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o755
