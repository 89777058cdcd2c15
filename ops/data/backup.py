"""Back up drawings with their labels, archives and versions in one tar file.

    backup(system, "backups/today.tar")        # ops/data/restore.py restores it
    backup_as_is(system, "backups/as-is.tar")  # accepts damaged archives; used before a restore

Without a name, the file name contains the time. "-" is the standard output, which ops/containers.sh uses.

A drawing in the outbox is in the next backup. While the database runs, a drawing waits 0.1 s there.
"""

import contextlib
import hashlib
import io
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
from ops.native import postgres
from ops.system import System
from ops.versions.archives import DamagedError, refuse_unusable
from ops.versions.state import Versions, archive_name, archived_version

FOLDER = Path("backups")
STREAM = "-"
DUMP = "database.dump"
VERSIONS = "versions.json"
CONTENTS = "contents.json"  # SHA-256 of every other file; the last file, so a truncated tar has none
ARCHIVES = PurePosixPath("model_store")


def backup(system: System, name: str) -> None:
    """Write a complete tar or none. Raises OpsError, also for a missing or damaged archive."""
    _refuse_missing_archives(system, Versions.read(system.versions))
    _refuse_unusable_archives(system)
    backup_as_is(system, name)


def backup_as_is(system: System, name: str) -> None:
    """Write the tar without a check of the archives: a restore may repair them. Raises OpsError."""
    if name == STREAM:
        _write(system, sys.stdout.buffer)
        return
    path = Path(name) if name else timestamped_path("mnist")
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
        with contextlib.suppress(OSError):
            unfinished.unlink()
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB of drawings, archives and versions")


def timestamped_path(prefix: str) -> Path:
    """A path in the backup folder that contains the time in UTC."""
    return FOLDER / f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar"


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def scratch_folder(system: System) -> Iterator[Path]:
    """A temporary folder on disk, because a dump may be larger than memory. In containers TMPDIR names it."""
    system.run.mkdir(parents=True, exist_ok=True)
    parent = None if system.in_containers else system.run
    with tempfile.TemporaryDirectory(dir=parent, prefix="backup-") as folder:
        yield Path(folder)


def _write(system: System, output: IO[bytes]) -> None:
    versions = replace(Versions.read(system.versions), candidate=None)  # its swap has ended by the restore
    with scratch_folder(system) as folder:
        dump = folder / DUMP
        _dump(system, dump)
        files: dict[str, Path | bytes] = {DUMP: dump}
        for archive in _archives(system):
            files[str(ARCHIVES / archive.name)] = archive
        versions.write(folder / VERSIONS)
        files[VERSIONS] = folder / VERSIONS
        digests = {name: digest(path) for name, path in files.items() if isinstance(path, Path)}
        files[CONTENTS] = json.dumps(digests, indent=2).encode("ascii")
        with tarfile.open(fileobj=output, mode="w|") as tar:
            for name, content in files.items():
                _add(tar, name, content)


def _refuse_missing_archives(system: System, versions: Versions) -> None:
    for version in versions.named():
        archive = system.model_store / archive_name(version)
        if not archive.exists():
            raise OpsError(
                f"{archive} is missing, but {system.versions} names version {version}: no backup is made. "
                f"Put the archive back, for example: make pull VERSION={version}"
            )


def _refuse_unusable_archives(system: System) -> None:
    for archive in _archives(system):
        version = archived_version(archive)
        try:
            refuse_unusable(archive, version)
        except DamagedError as error:
            raise OpsError(
                f"{error}. No backup is made. Delete the archive or replace it, for example: "
                f"make pull VERSION={version}"
            ) from None


def _archives(system: System) -> list[Path]:
    return sorted(system.model_store.glob("mnist-*.mar"))


def _dump(system: System, dump: Path) -> None:
    try:
        postgres.client(system, "pg_dump", "--format=custom", f"--file={dump}", postgres.DATABASE)
    except OpsError as error:
        raise OpsError(f"{error}. Is the database running? See: make status") from None


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
