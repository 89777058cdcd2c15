"""A stopped system for tests, and one that runs only PostgreSQL."""

import json
import shutil
import signal
import subprocess
import zipfile
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from fixtures import predictions
from fixtures.waiting import eventually
from ops.data import backup, secrets
from ops.native import postgres
from ops.system import System
from ops.versions.archives import MANIFEST
from ops.versions.state import RELEASED, archive_name
from tests.ops.s3 import s3_server
from tests.system.running import first_port


def write_archive(folder, version, model="mnist", **files):
    """Write an archive with a manifest but without a model."""
    path = folder / archive_name(version)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, json.dumps({"model": {"modelName": model, "modelVersion": version}}))
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@contextmanager
def a_system(folder, gateway_port=None):
    """A stopped system below a folder."""
    system = System(folder / "var", folder / "model_store", "127.0.0.1", gateway_port or first_port())
    system.make_folders()
    system.model_store.mkdir()
    try:
        yield system
    finally:
        system.sockets.rmdir()


@contextmanager
def a_server(system):
    """A running PostgreSQL without migrations."""
    secrets.ensure(system)
    postgres.initialise(system)
    with (
        (system.logs / "postgres.log").open("ab") as log,
        subprocess.Popen(postgres.server_command(system), stderr=log) as process,
    ):
        try:
            eventually(lambda: postgres.is_ready(system))
            yield system
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture
def system(tmp_path):
    with a_system(tmp_path) as system:
        yield system


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """The PostgreSQL behind `server`, shared because its start takes longer than a test."""
    with a_system(tmp_path_factory.mktemp("postgresql")) as system, a_server(system):
        yield system


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory):
    """The address of an S3 server. Each test has its own bucket."""
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def server(tmp_path, postgresql):
    """A system whose PostgreSQL is in the state of a new one, without migrations."""
    with a_system(tmp_path, postgresql.gateway_port) as system:
        shutil.copytree(postgresql.secrets, system.secrets, dirs_exist_ok=True)
        yield system
        with psycopg.connect(postgres.owner_url(system, "postgres"), autocommit=True) as owner:
            # Everything that a migration creates.
            names = sql.Identifier(postgres.DATABASE), sql.Identifier(postgres.PAGE)
            owner.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(names[0]))
            owner.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(names[1]))


@pytest.fixture
def migrated(server):
    postgres.migrate(server)
    return server


@pytest.fixture
def count_drawings(migrated):
    """Store the released archive and three drawings in `server`; return a function that counts its drawings."""
    write_archive(migrated.model_store, RELEASED)
    with psycopg.connect(postgres.owner_url(migrated)) as connection:
        for _ in range(3):
            predictions.insert(connection)

    def count() -> int:
        with psycopg.connect(postgres.owner_url(migrated)) as connection:
            return connection.execute("SELECT count(*) FROM predictions").fetchone()[0]

    return count


@pytest.fixture
def backup_file(server, count_drawings, tmp_path):
    """A backup of `server` with three drawings."""
    path = tmp_path / "backups" / "backup.tar"
    backup.backup(server, str(path))
    return path
