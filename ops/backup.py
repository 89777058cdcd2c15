"""Everything that cannot be made again, in one file: the drawings with their labels, the archives, the versions.

    backup(system, "backups/today.tar")
    restore(system, "backups/today.tar")      # on a system that runs

Without a name the first makes one of the time. "-" is the standard output or input, as ops/containers.sh uses them.

A drawing that waits in the outbox is in the next backup: with the database there, it waits a tenth of a second.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

import psycopg
from psycopg import sql

from ops import lock, postgres, supervisor
from ops.errors import OpsError, UsageError
from ops.reload import reload
from ops.system import System
from ops.versions import VERSION_FORM, Versions, archive_name

FOLDER = Path("backups")
STREAM = "-"
DUMP = "database.dump"
VERSIONS = "versions.json"
CONTENTS = "contents.json"  # the SHA-256 of every other file, and the last in the tar: without it the tar was cut off
ARCHIVES = PurePosixPath("model_store")
# The database that a restore sets aside until its own is complete.
BEFORE = f"{postgres.DATABASE}_before"


def backup(system: System, name: str) -> None:
    """Write the tar, whole or not at all. Raises OpsError."""
    if name == STREAM:
        _write(system, sys.stdout.buffer)
        return
    path = Path(name or FOLDER / f"mnist-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch(mode=0o600)
        with unfinished.open("wb") as file:
            _write(system, file)
        unfinished.rename(path)
    except OSError as error:
        raise OpsError(f"FILE '{path}' cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB of drawings, archives and versions")


def _write(system: System, output: IO[bytes]) -> None:
    with _folder(system) as folder:
        dump = folder / DUMP
        _postgresql_tool(system, "pg_dump", "--format=custom", f"--file={dump}", postgres.DATABASE)
        files: dict[str, Path | bytes] = {DUMP: dump}
        for archive in sorted(system.model_store.glob("mnist-*.mar")):
            files[str(ARCHIVES / archive.name)] = archive
        versions = Versions.read(system.versions)
        versions.write(folder / VERSIONS)
        files[VERSIONS] = folder / VERSIONS
        digests = {name: _digest(path) for name, path in files.items() if isinstance(path, Path)}
        files[CONTENTS] = json.dumps(digests, indent=2).encode("ascii")
        with tarfile.open(fileobj=output, mode="w|") as tar:
            for name, content in files.items():
                _add(tar, name, content)


def restore(system: System, name: str) -> None:
    """Put back what a tar holds, whole or not at all; what was drawn since is gone, as it was not in it.

    The database of before stays until the new one is complete. Raises OpsError.
    """
    if not name:
        raise UsageError(
            f"FILE is missing, for example: make restore FILE={FOLDER}/mnist-20260101-120000.tar"
        )
    with _folder(system) as folder:
        try:
            with sys.stdin.buffer if name == STREAM else Path(name).open("rb") as file:
                _unpack(file, folder)
        except OSError as error:
            raise UsageError(f"FILE '{name}' cannot be read: {error.strerror}") from None
        refusal = "A swap, rollback or canary is running on this system; wait until it ends."
        with lock.held(system.versions_lock, refusal):
            _restore_database(system, folder / DUMP)
            system.model_store.mkdir(parents=True, exist_ok=True)
            others = [
                archive
                for archive in sorted((folder / ARCHIVES).iterdir())
                if not _is_the_same(archive, system.model_store / archive.name)
            ]
            for archive in others:
                _replace(archive, system.model_store / archive.name)
            Versions.read(folder / VERSIONS).write(system.versions)
    if not system.in_containers:  # there ops/containers.sh does it, and the keeper tells the gateway
        _let_the_parts_take_it_up(system, others)
    with psycopg.connect(postgres.owner_url(system)) as connection:
        [(drawings, labels)] = connection.execute("SELECT count(*), count(true_label) FROM predictions")
    archives = len(list(system.model_store.glob("mnist-*.mar")))
    print(
        f"Restored {drawings} drawings, {labels} of them labelled, and {archives} archives. "
        f"Version {Versions.read(system.versions).default} is the default."
    )


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    information = tarfile.TarInfo(name)
    information.mode = 0o600
    information.mtime = int(datetime.now(UTC).timestamp())
    if isinstance(content, bytes):
        information.size = len(content)
        tar.addfile(information, io.BytesIO(content))
    else:
        information.size = content.stat().st_size
        with content.open("rb") as file:
            tar.addfile(information, file)


def _unpack(source: IO[bytes], folder: Path) -> None:
    """Every file of the tar, compared with what it says of itself. Raises OpsError."""
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                name, content = PurePosixPath(member.name), tar.extractfile(member)
                if content is None or not member.isfile() or not _belongs(name):
                    raise OpsError(f"FILE contains '{name}', which no backup contains: nothing is restored.")
                (folder / name).parent.mkdir(exist_ok=True)
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
        digests = json.loads((folder / CONTENTS).read_text(encoding="ascii"))
        wrong = [name for name, digest in digests.items() if _digest(folder / name) != digest]
    except (tarfile.TarError, FileNotFoundError, EOFError, ValueError, AttributeError) as error:
        raise OpsError(
            f"FILE is not a complete backup ({type(error).__name__}): nothing is restored. Make one: make backup"
        ) from None
    if wrong or not {DUMP, VERSIONS} <= digests.keys():
        raise OpsError(f"{', '.join(wrong) or DUMP} is damaged in the backup: nothing is restored.")
    (folder / ARCHIVES).mkdir(exist_ok=True)


def _belongs(name: PurePosixPath) -> bool:
    if name.parent == ARCHIVES:
        version = name.name.removeprefix("mnist-").removesuffix(".mar")
        return bool(VERSION_FORM.fullmatch(version)) and name.name == archive_name(version)
    return str(name) in (DUMP, VERSIONS, CONTENTS)


def _restore_database(system: System, dump: Path) -> None:
    with psycopg.connect(postgres.owner_url(system, "postgres"), autocommit=True) as connection:
        # One that was broken off left the drawings under the other name, and a part under theirs.
        if _exists(connection, BEFORE):
            _drop(connection, postgres.DATABASE)
        elif _exists(connection, postgres.DATABASE):
            _rename(connection, postgres.DATABASE, BEFORE)
        try:
            _postgresql_tool(
                system, "pg_restore", "--create", "--exit-on-error", "--dbname=postgres", str(dump)
            )
            postgres.migrate(system)  # a backup of an earlier version lacks what came since
        except OpsError:
            if _exists(connection, BEFORE):
                _drop(connection, postgres.DATABASE)
                _rename(connection, BEFORE, postgres.DATABASE)
            raise
        _drop(connection, BEFORE)


def _exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _rename(connection: psycopg.Connection, name: str, other: str) -> None:
    """Whoever is connected is sent away and stays out meanwhile; the page's answers wait in its outbox."""
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
    )
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(other))
    )
    connection.execute(allow.format(sql.Identifier(other), sql.SQL("true")))


def _postgresql_tool(system: System, name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as the database's owner. Raises OpsError with the first that it said."""
    parts = psycopg.conninfo.conninfo_to_dict(postgres.owner_url(system))
    # In the environment, for a command line can be read by others.
    environment = {
        **os.environ,
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts["port"]),
        "PGUSER": str(parts["user"]),
        "PGPASSWORD": str(parts["password"]),
    }
    done = subprocess.run(
        [postgres.BINARIES / name, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.strip().partition("\n")[0]
        raise OpsError(f"{name} failed: {said}. Is the database running? See: make status")


def _replace(source: Path, target: Path) -> None:
    """Whole or not at all; the two may lie on different disks."""
    unfinished = target.with_suffix(".unfinished")
    shutil.copyfile(source, unfinished)
    unfinished.replace(target)


def _is_the_same(one: Path, other: Path) -> bool:
    return other.exists() and _digest(one) == _digest(other)


def _let_the_parts_take_it_up(system: System, others: list[Path]) -> None:
    if others:  # one of them may serve under the same name with another content
        with supervisor.remote(system) as interface:
            interface.stopProcess("torchserve")
            interface.startProcess("torchserve", False)
    reload(system)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _folder(system: System) -> Iterator[Path]:
    """A folder on a disk: a dump may be larger than the memory. In containers TMPDIR names one that ops alone has."""
    system.run.mkdir(parents=True, exist_ok=True)
    place = None if system.in_containers else system.run
    with tempfile.TemporaryDirectory(dir=place, prefix="backup-") as folder:
        yield Path(folder)
