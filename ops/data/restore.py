"""Restore a backup completely or not at all.

    restore(system, "backups/today.tar")      # on a running system; "-" is the standard input
    check(system, "backups/today.tar")        # verify the backup without a restore

A restore verifies the whole backup before it changes anything, and saves the current state in another backup. It
creates the database of the backup beside the current one and renames both when the new one is complete.

A dump is code: pg_restore runs every statement in it. So the schema comes from this checkout's migrations, and the
dump supplies only the drawings, loaded by a role that may only insert drawings.
"""

import contextlib
import json
import re
import secrets
import shutil
import sys
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import psycopg
from psycopg import sql

from ops.data import backup
from ops.errors import OpsError, UsageError, first_line
from ops.files import digest
from ops.native import postgres, supervisor
from ops.system import System
from ops.versions.archives import DamagedError, refuse_unusable
from ops.versions.references import write_references
from ops.versions.reload import reload
from ops.versions.state import VERSION_FORM, Versions, archive_name, list_archives
from ops.versions.store import VersionsStore, open_store

NOTHING_RESTORED = "nothing is restored"
# The backup's database before the rename, and the current one after it.
NEW = f"{postgres.DATABASE}_new"
OLD = f"{postgres.DATABASE}_old"
# A temporary role that loads the drawings.
LOADER = "loader"
TABLE = "predictions"
SCHEMA_VERSIONS = re.compile(r"(?m)^COPY public\.schema_migrations \(.+\) FROM stdin;\n((?:\d+\n)+)\\\.$")
# A part may connect again between the end of its connections and the rename; then both are repeated.
MOST_RENAMINGS = 5


@dataclass(frozen=True)
class Backup:
    """An unpacked and verified backup: its files, archives and versions, the migrations of its database."""

    folder: Path
    archives: dict[str, Path]
    versions: Versions
    migrations: list[Path]


def check(system: System, name: str) -> None:
    """Verify that a file can be restored. Raises OpsError with the reason."""
    with _open_backup(system, name):
        pass


def restore(system: System, name: str) -> None:
    """Replace drawings, archives and versions by those of a backup, and save the current ones in `before-restore`.

    Raises OpsError; the state is then unchanged.
    """
    with _open_backup(system, name) as wanted:
        refusal = "A swap, rollback or canary is running on this system; wait until it ends."
        store = open_store(system)
        with store.lock(refusal):
            saved = backup.timestamped_path("before-restore")
            changed = _replace_state(system, store, wanted, saved)
    if not system.in_containers:  # ops/containers.sh restarts TorchServe; the controller updates the gateway
        _reload_parts(system, changed)
    write_references(system)
    with postgres.connect(system) as connection:
        [(drawings, labels)] = connection.execute("SELECT count(*), count(true_label) FROM predictions")
    print(
        f"Restored {drawings} drawings, {labels} of them labelled, and {len(list_archives(system.model_store))} "
        f"archives. Version {wanted.versions.default} is the default."
    )
    if not system.in_containers:
        print(f"To return to the state before: make restore FILE={saved}")


@contextmanager
def _open_backup(system: System, name: str) -> Iterator[Backup]:
    if not name:
        raise UsageError("FILE is missing, for example: make restore FILE=backups/mnist-20260101-120000.tar")
    with backup.scratch_folder(system) as folder:
        try:
            with sys.stdin.buffer if name == backup.STREAM else Path(name).open("rb") as file:
                _unpack(file, folder)
        except OSError as error:
            raise UsageError(f"FILE '{name}' cannot be read: {error.strerror}") from None
        archives = list_archives(folder / backup.ARCHIVES)
        wanted = Backup(folder, archives, _versions(folder, archives), _migrations(system, folder))
        for version, archive in archives.items():
            try:
                refuse_unusable(archive, version)
            except DamagedError as error:
                reason = str(error).removeprefix(f"{archive.parent}/")  # without the temporary folder
                raise OpsError(f"In the backup {reason}: {NOTHING_RESTORED}.") from None
        yield wanted


def _unpack(source: IO[bytes], folder: Path) -> None:
    """Unpack the tar into a folder and verify its checksums. Raises OpsError."""
    unpacked = set()
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                name, content = PurePosixPath(member.name), tar.extractfile(member)
                if content is None or not member.isfile() or not _is_backup_file(name):
                    raise OpsError(f"FILE contains '{name}', which no backup contains: {NOTHING_RESTORED}.")
                (folder / name).parent.mkdir(exist_ok=True)
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                unpacked.add(str(name))
        digests = json.loads((folder / backup.CONTENTS).read_text(encoding="ascii"))
        wrong = [name for name in unpacked - {backup.CONTENTS} if digests.get(name) != digest(folder / name)]
    except (
        tarfile.TarError,
        FileNotFoundError,
        EOFError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise OpsError(
            f"FILE is not a complete backup ({type(error).__name__}): {NOTHING_RESTORED}. Make one: make backup"
        ) from None
    if wrong or (wrong := sorted({backup.DUMP, backup.VERSIONS, *digests} - unpacked)):
        raise OpsError(f"{', '.join(sorted(wrong))} is damaged in the backup: {NOTHING_RESTORED}.")
    (folder / backup.ARCHIVES).mkdir(exist_ok=True)


def _is_backup_file(name: PurePosixPath) -> bool:
    if name.parent == backup.ARCHIVES:
        version = name.stem.removeprefix("mnist-")
        return bool(VERSION_FORM.fullmatch(version)) and name.name == archive_name(version)
    return str(name) in (backup.DUMP, backup.VERSIONS, backup.CONTENTS)


def _versions(folder: Path, archives: Collection[str]) -> Versions:
    """The versions file of a backup. Raises OpsError, also if the archive of one of its versions is missing."""
    path = folder / backup.VERSIONS
    try:
        versions = Versions.parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = f"is not a valid versions file: {error}"
        raise OpsError(f"{path.name} in the backup {reason}. So {NOTHING_RESTORED}.") from None
    for version in versions.named():
        if version not in archives:
            raise OpsError(
                f"{archive_name(version)} is missing in the backup, but its {path.name} names version {version}: "
                f"{NOTHING_RESTORED}."
            )
    return versions


def _migrations(system: System, folder: Path) -> list[Path]:
    """The migrations of a backup's database. Raises OpsError if this checkout does not have them."""
    dump = folder / backup.DUMP
    try:
        postgres.client(system, "pg_restore", "--list", dump)
        tables = ["--data-only", "--strict-names", "--schema=public"]
        postgres.client(system, "pg_restore", *tables, f"--table={TABLE}", "--file=/dev/null", dump)
        script = postgres.client(system, "pg_restore", *tables, "--table=schema_migrations", "--file=-", dump)
    except OpsError as error:
        raise OpsError(f"{dump.name} in the backup cannot be read: {error}. So {NOTHING_RESTORED}.") from None
    found = SCHEMA_VERSIONS.search(script)
    versions = sorted(found[1].split()) if found else []
    known = {path.name.partition("_")[0]: path for path in sorted(postgres.MIGRATIONS.glob("*.sql"))}
    if not versions or versions != list(known)[: len(versions)]:
        raise OpsError(
            f"The database in the backup has schema version {versions[-1] if versions else 'none'}. This checkout "
            f"knows {min(known)} to {max(known)}: {NOTHING_RESTORED}. Update the checkout, then restore again."
        )
    return [known[version] for version in versions]


def _replace_state(system: System, store: VersionsStore, wanted: Backup, saved: Path) -> list[Path]:
    """Save the current state, replace it by the backup, and return the paths of changed archives.

    Raises OpsError; the state is then unchanged.
    """
    try:
        with postgres.connect(system, "postgres", autocommit=True) as connection:
            _clean_up(connection)
            try:
                _make_database(system, wanted)
                changed = _copy_archives(system, wanted)
                for archive in wanted.archives.values():
                    store.share(archive)
                if not system.in_containers:  # in containers, ops/containers.sh has saved it
                    backup.backup_as_is(system, str(saved))
                _rename_databases(connection)
            except BaseException:
                _clean_up(connection)
                raise
            for target in changed:
                _unfinished(target).replace(target)
            store.read()
            store.write(wanted.versions)
            with contextlib.suppress(psycopg.Error):  # the next restore cleans up, too
                _clean_up(connection)
    except (OpsError, psycopg.Error, OSError) as error:
        for archive in wanted.archives.values():
            _unfinished(system.model_store / archive.name).unlink(missing_ok=True)
        raise OpsError(f"The backup cannot be loaded, so {NOTHING_RESTORED}: {first_line(error)}") from None
    return changed


def _clean_up(connection: psycopg.Connection) -> None:
    """Remove the databases and the role of a restore, also of an interrupted one."""
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    for database in (NEW, OLD):
        connection.execute(drop.format(sql.Identifier(database)))
    connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(LOADER)))


def _make_database(system: System, wanted: Backup) -> None:
    """Create the new database: the backup's migrations, then its drawings, then the newer migrations."""
    migrations = wanted.folder / "migrations"
    migrations.mkdir()
    for migration in wanted.migrations:
        shutil.copy(migration, migrations)
    postgres.apply_migrations(system, NEW, migrations)
    password = secrets.token_urlsafe()
    with postgres.connect(system, NEW, autocommit=True) as owner:
        names = {"loader": sql.Identifier(LOADER), "new": sql.Identifier(NEW), "table": sql.Identifier(TABLE)}
        for statement in (
            "CREATE ROLE {loader} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS",
            "REVOKE ALL ON DATABASE {new} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {new} TO {loader}",
            "GRANT USAGE ON SCHEMA public TO {loader}",
            "GRANT INSERT ON {table} TO {loader}",
        ):
            owner.execute(sql.SQL(statement).format(**names))
        postgres.set_password(owner, LOADER, password)
        options = ["--data-only", "--schema=public", f"--table={TABLE}", f"--dbname={NEW}"]
        options += ["--exit-on-error", "--single-transaction", str(wanted.folder / backup.DUMP)]
        postgres.client(system, "pg_restore", *options, role=LOADER, password=password)
        owner.execute(sql.SQL("DROP OWNED BY {loader}").format(**names))  # its rights
        postgres.apply_migrations(system, NEW)
        [(drawings, counted)] = owner.execute(
            "SELECT (SELECT count(*) FROM predictions), "
            "(SELECT coalesce(sum(drawings), 0) FROM insights WHERE facet = 'answer')"
        )
    if drawings != counted:
        raise OpsError(f"the database has {drawings} drawings but counts {counted}")


def _copy_archives(system: System, wanted: Backup) -> list[Path]:
    """Copy changed archives beside their targets and return the targets.

    The later rename then stays on one disk; the backup may be on another.
    """
    system.model_store.mkdir(parents=True, exist_ok=True)
    changed = []
    for archive in wanted.archives.values():
        target = system.model_store / archive.name
        if not target.exists() or digest(target) != digest(archive):
            shutil.copyfile(archive, _unfinished(target))
            changed.append(target)
    return changed


def _unfinished(archive: Path) -> Path:
    return archive.with_suffix(".unfinished")


def _rename_databases(connection: psycopg.Connection) -> None:
    """Rename both databases in one transaction. It ends all connections; drawings wait in the outbox."""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    for _ in range(MOST_RENAMINGS):
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY (%s)",
            [[postgres.DATABASE, NEW]],
        )
        # ALTER DATABASE waits up to 5 s for connections to end, and blocks new ones.
        with contextlib.suppress(psycopg.errors.ObjectInUse), connection.transaction():
            for name, other in ((postgres.DATABASE, OLD), (NEW, postgres.DATABASE)):
                connection.execute(rename.format(sql.Identifier(name), sql.Identifier(other)))
            return
    raise OpsError("other connections to the database do not end")


def _reload_parts(system: System, changed: list[Path]) -> None:
    if changed:  # TorchServe may serve an archive of the same name with other content
        supervisor.restart(system, "torchserve")
    reload(system)
