"""Back up drawings with their labels, archives and versions in one tar file.

    backup(system, "backups/today.tar")        # ops/data/restore.py restores it
    backup_as_is(system, "backups/as-is.tar")  # accepts damaged archives; used before a restore

Without a name, the file name contains the time. "-" is the standard output, which ops/containers.sh uses.

A drawing in the outbox is in the next backup. While the database runs, a drawing waits 0.1 s there.
"""

import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from ops.errors import OpsError
from ops.files import digest, replace_file, write_whole
from ops.native import postgres
from ops.system import System
from ops.versions.archives import DamagedError, refuse_unusable
from ops.versions.state import archive_name, list_archives
from ops.versions.store import open_store, read_current

FOLDER = Path("backups")
STREAM = "-"
DUMP = "database.dump"
VERSIONS = "versions.json"
CONTENTS = "contents.json"  # SHA-256 of every other file; the last file, so a truncated tar has none
ARCHIVES = PurePosixPath("model_store")


def backup(system: System, name: str) -> None:
    """Write a complete tar or none. Raises OpsError, also for a missing or damaged archive."""
    store = open_store(system)
    for version in read_current(store).named():
        archive = system.model_store / archive_name(version)
        if not archive.exists():
            store.fetch(version)
        if not archive.exists():
            raise OpsError(
                f"{archive} is missing, but {system.versions} names version {version}: no backup is made. "
                f"Put the archive back, for example: make pull VERSION={version}"
            )
    for version, archive in list_archives(system.model_store).items():
        try:
            refuse_unusable(archive, version)
        except DamagedError as error:
            remedy = f"Delete the archive or replace it, for example: make pull VERSION={version}"
            raise OpsError(f"{error}. No backup is made. {remedy}") from None
    backup_as_is(system, name)


def backup_as_is(system: System, name: str) -> None:
    """Write the tar without a check of the archives: a restore may repair them. Raises OpsError."""
    if name == STREAM:
        _write(system, sys.stdout.buffer)
        return
    path = Path(name) if name else timestamped_path("mnist")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path, mode=0o600) as file:
            _write(system, file)
    except OSError as error:
        raise OpsError(f"FILE '{path}' cannot be written: {error.strerror}") from None
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB of drawings, archives and versions")


def timestamped_path(prefix: str) -> Path:
    """A path in the backup folder that contains the time in UTC."""
    return FOLDER / f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar"


@contextmanager
def scratch_folder(system: System) -> Iterator[Path]:
    """A temporary folder on disk, because a dump may be larger than memory. In containers TMPDIR names it."""
    system.run.mkdir(parents=True, exist_ok=True)
    parent = None if system.in_containers else system.run
    with tempfile.TemporaryDirectory(dir=parent, prefix="backup-") as folder:
        yield Path(folder)


def _write(system: System, output: IO[bytes]) -> None:
    versions = replace(open_store(system).read(), candidate=None)  # its swap has ended by the restore
    with scratch_folder(system) as folder:
        _dump(system, folder / DUMP)
        versions.write(folder / VERSIONS)
        archives = list_archives(system.model_store).values()
        files = {DUMP: folder / DUMP, **{str(ARCHIVES / archive.name): archive for archive in archives}}
        files[VERSIONS] = folder / VERSIONS
        digests = {name: digest(path) for name, path in files.items()}
        write_whole(folder / CONTENTS, json.dumps(digests, indent=2))
        with tarfile.open(fileobj=output, mode="w|", dereference=True) as tar:
            for name, path in {**files, CONTENTS: folder / CONTENTS}.items():
                tar.add(path, name, filter=_anonymous)


def _dump(system: System, dump: Path) -> None:
    try:
        postgres.client(system, "pg_dump", "--format=custom", f"--file={dump}", postgres.DATABASE)
    except OpsError as error:
        raise OpsError(f"{error}. Is the database running? See: make status") from None


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of the tar with mode 0600, the current time and no owner."""
    member.mode, member.mtime = 0o600, int(datetime.now(UTC).timestamp())
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
