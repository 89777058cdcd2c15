"""PostgreSQL's data directory: complete or absent, also below a private folder."""

import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from ops.data import secrets
from ops.errors import OpsError
from ops.native import postgres
from ops.system import IN_CONTAINERS
from tests.ops.conftest import a_server, a_system


def test_an_incomplete_data_directory_is_created_again(system):
    secrets.ensure(system)
    unfinished = system.database.with_suffix(".unfinished")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres.initialise(system)
    assert (system.database / "global" / "pg_control").exists()
    assert not unfinished.exists()


def test_a_complete_data_directory_is_not_changed(system):
    system.database.mkdir()
    (system.database / "mine").write_text("rows")
    postgres.initialise(system)
    assert [path.name for path in system.database.iterdir()] == ["mine"]


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("only root runs PostgreSQL as another user")


@pytest.fixture
def open_folder():
    """A folder that every user may enter, unlike pytest's folders."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="open-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _capabilities(server: psutil.Process) -> dict[str, int]:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return {name: int(value, 16) for name, value in re.findall(r"^Cap(\w+):\s+(\w+)$", status, re.MULTILINE)}


@pytest.mark.service
@pytest.mark.parametrize(("place", "capabilities"), [("open_folder", 0), ("tmp_path", 1 << 2)])
def test_as_root_postgres_has_at_most_the_read_capability(as_root, request, place, capabilities):
    folder = request.getfixturevalue(place)
    if postgres._closed_folder(["setpriv", "--reuid=nobody", "--clear-groups"], postgres.BINARIES):
        pytest.skip("this checkout is closed to other users")
    with a_system(folder) as system, a_server(system) as running:
        server = next(
            process
            for process in psutil.process_iter(["cmdline"])
            # A zombie has no capabilities.
            if str(running.database) in (process.info["cmdline"] or [])
        )
        assert server.username() == postgres.UNPRIVILEGED
        found = _capabilities(server)
        assert [found[name] for name in ("Inh", "Prm", "Eff", "Amb")] == [capabilities] * 4
        postgres.migrate(running)


def test_as_root_without_the_capability_the_error_names_the_folder(as_root, system, monkeypatch, tmp_path):
    monkeypatch.setattr(postgres, "_may_give_away", lambda capability: False)
    tmp_path.chmod(0o700)
    with pytest.raises(OpsError) as raised:
        postgres.as_user(system)
    message = str(raised.value)
    closed = message.split("for whom ")[1].split(" is closed", maxsplit=1)[0]
    assert Path(closed) in {tmp_path, *tmp_path.parents}
    assert f"chmod o+x '{closed}'" in message
    assert len(message.splitlines()) == 1


def test_migrations_are_repeatable_and_connections_need_a_password(server):
    postgres.migrate(server)
    postgres.migrate(server)
    password = secrets.read(server, "database_page_password")
    with psycopg.connect(postgres.role_url(server), password=password) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)
    for wrong in ("", "owner", secrets.read(server, "database_owner_password")):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.role_url(server), password=wrong)


def test_a_failed_migration_shows_the_reason_but_no_password(system):
    secrets.ensure(system)
    with pytest.raises(OpsError, match=r"The database could not be migrated:\n.*refused") as raised:
        postgres.migrate(system)
    assert secrets.read(system, "database_owner_password") not in str(raised.value)


@pytest.mark.service
def test_in_containers_database_url_can_name_an_external_server(system, monkeypatch):
    with a_server(system) as server:
        with psycopg.connect(postgres.owner_url(server, "postgres"), autocommit=True) as administrator:
            # On a server of others, the owner is no superuser.
            password = sql.Literal(secrets.read(server, "database_owner_password"))
            create = sql.SQL("CREATE ROLE tenant LOGIN CREATEDB CREATEROLE PASSWORD {}").format(password)
            administrator.execute(create)
        monkeypatch.setattr(postgres, "OWNER", "tenant")
        monkeypatch.setattr("ops.system.SECRETS_OF_A_CONTAINER", server.secrets)
        monkeypatch.setenv("DATABASE_URL", f"{postgres.role_url(server)}?sslmode=disable")
        contained = replace(server, hosts=IN_CONTAINERS)
        for _ in range(2):
            postgres.migrate(contained)
        assert "predictions" in postgres.client(contained, "pg_dump", "--schema-only", postgres.DATABASE)
        # The server of the test has no TLS.
        monkeypatch.setenv("DATABASE_URL", f"{postgres.role_url(server)}?sslmode=require")
        with pytest.raises(OpsError, match="SSL"):
            postgres.client(contained, "pg_dump", postgres.DATABASE)
        with pytest.raises(psycopg.OperationalError, match="SSL"):
            postgres.connect(contained)
        with pytest.raises(OpsError, match="SSL"):
            postgres.apply_migrations(contained)
