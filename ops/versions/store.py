"""The desired state of the versions and the reports of the TorchServe replicas, in files or in an S3 store.

    store = open_store(system)
    with store.lock("Another command is running"):
        versions = store.read()
        store.write(replace(versions, candidate="1.1"))
        store.reports()                # of every replica

One machine has files and one replica, which has no name. Several machines share an S3 store (ops/versions/s3_store.py).
"""

import contextlib
import importlib.util
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Protocol

import settings
from ops import lock
from ops.errors import OpsError
from ops.files import write_whole
from ops.system import System
from ops.versions.report import Report
from ops.versions.state import CHANGED, Versions

log = logging.getLogger("ops.versions.store")


class VersionsStore(Protocol):
    """`poll_s` is the time between two reads of a waiting command, in seconds. Every call raises OpsError."""

    poll_s: float

    def read(self) -> Versions:
        """The desired state; without one, the released version is the default."""

    def write(self, versions: Versions) -> None:
        """Replace the state. Raises OpsError if it has changed since this object last read or wrote it."""

    def lock(self, refusal: str) -> AbstractContextManager[None]:
        """Lock the versions against other commands during this block. Raises OpsError(refusal) if one has the lock."""

    def is_locked(self) -> bool:
        """Whether a command holds the lock."""

    def reports(self) -> list[Report]:
        """The last report of each replica."""

    def report(self, report: Report) -> None:
        """Replace the report of this replica."""

    def fetch(self, version: str) -> None:
        """Copy a version's archive to the local model store, unless it is there."""

    def share(self, archive: Path) -> None:
        """Copy an archive of this machine to the store, unless the store has it."""


class FileStore:
    """The files of one machine."""

    poll_s = 0.05

    def __init__(self, system: System) -> None:
        self._system = system
        self._last: Versions | None = None

    def read(self) -> Versions:
        self._last = Versions.read(self._system.versions)
        return self._last

    def write(self, versions: Versions) -> None:
        if self._last != Versions.read(self._system.versions):
            raise OpsError(CHANGED)
        versions.write(self._system.versions)
        self._last = versions

    def lock(self, refusal: str) -> AbstractContextManager[None]:
        return lock.hold(self._system.versions_lock, refusal)

    def is_locked(self) -> bool:
        return lock.is_held(self._system.versions_lock)

    def reports(self) -> list[Report]:
        with contextlib.suppress(FileNotFoundError, ValueError):  # no controller has run yet
            return [Report.parse(self._system.report.read_bytes())]
        return []

    def report(self, report: Report) -> None:
        write_whole(self._system.report, report.to_json())

    def fetch(self, version: str) -> None:
        """Do nothing: the local model store is the only one."""

    def share(self, archive: Path) -> None:
        """Do nothing: the local model store is the only one."""


def open_store(system: System) -> VersionsStore:
    """The store that VERSIONS_IN selects. Raises OpsError."""
    if settings.VERSIONS_IN.read() == "files":
        return FileStore(system)
    if importlib.util.find_spec("boto3") is None:
        raise OpsError(
            "VERSIONS_IN=s3 is for containers on several machines; a native system needs VERSIONS_IN=files"
        )
    from ops.versions.s3_store import S3Store  # boto3 takes half a second and 40 MB

    return S3Store(system)


def read_current(store: VersionsStore) -> Versions:
    """The desired state, without a candidate that a killed command has left."""
    versions = store.read()
    return versions if versions.candidate is None or store.is_locked() else replace(versions, candidate=None)


def repeat(step: Callable[[], None], interval_s: float, consequence: str, ended: Event) -> None:
    """Call `step` until the event. Log an error of the store or of a file once, with its consequence."""
    reason = ""
    while not ended.wait(interval_s):
        try:
            step()
            reason = ""
        except (OpsError, OSError) as error:
            if str(error) != reason:
                log.error("%s: %s", consequence, error)  # noqa: TRY400
            reason = str(error)
