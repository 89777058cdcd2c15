"""Copy the desired state that several replicas share to this replica's file, and its report to the store.

    with mirror(system, FileStore(system)):
        ...                     # the controller works with the files alone

An archive is copied before the state that names it. While the store is unavailable, the controller serves the last
state in the file.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import settings
from ops.errors import OpsError
from ops.system import System
from ops.versions.archives import DamagedError, refuse_unusable
from ops.versions.report import Report
from ops.versions.s3_store import S3Store
from ops.versions.state import Versions, archive_name
from ops.versions.store import FileStore, read_current, repeat

REPORT_EVERY_S = 5.0
# Between attempts to pull an archive that is missing or damaged in the store.
RETRY_INTERVAL_S = 15.0
STOP_TIMEOUT_S = 5.0

log = logging.getLogger("ops.versions.mirror")


@contextmanager
def mirror(system: System, files: FileStore) -> Iterator[None]:
    """Copy in a thread during this block. Raises SettingError."""
    for setting in (settings.S3_ENDPOINT, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY):
        setting.read()  # in the thread, a SettingError would end only the thread
    ended = threading.Event()
    copies = Mirror(system, files, S3Store(system))
    thread = threading.Thread(target=copies.run, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(STOP_TIMEOUT_S)


class Mirror:
    """The copies of one replica."""

    def __init__(self, system: System, files: FileStore, store: S3Store) -> None:
        self._system = system
        self._files = files
        self._store = store
        self._complete: set[str] = set()  # versions whose archives are here and verified
        self._failed: dict[str, tuple[str, float]] = {}  # reason and time of the last attempt by version
        self._written: Versions | None = None
        self._sent: tuple[Report, float] | None = None

    def run(self, ended: threading.Event) -> None:
        """Copy until the event, then delete this replica's report."""
        repeat(self._copy, S3Store.poll_s, "the last known versions are served", ended)
        with contextlib.suppress(OpsError):
            self._store.forget()

    def _copy(self) -> None:
        """Copy what has changed. Raises OpsError if the store is unavailable."""
        wanted = read_current(self._store)
        versions = wanted.named()
        self._failed = {version: failure for version, failure in self._failed.items() if version in versions}
        missing = [version for version in versions if not self._fetch(version)]
        if not set(missing) & set(wanted.served()):
            self._write(wanted, missing)
        self._report(wanted.candidate if wanted.candidate in missing else None)

    def _fetch(self, version: str) -> bool:
        """Whether the archive of a version is here and verified; else the reason is in `_failed`."""
        if version in self._complete:
            return True
        if version in self._failed and time.monotonic() < self._failed[version][1] + RETRY_INTERVAL_S:
            return False
        try:
            self._store.fetch(version)
            refuse_unusable(self._system.model_store / archive_name(version), version)
        except (OpsError, DamagedError) as error:
            log.error("version %s cannot be pulled: %s", version, error)  # noqa: TRY400
            self._failed[version] = str(error), time.monotonic()
            return False
        self._complete.add(version)
        self._failed.pop(version, None)
        return True

    def _write(self, wanted: Versions, missing: list[str]) -> None:
        """Write the state to the file, without versions that have no archive here."""
        here = replace(
            wanted,
            previous=None if wanted.previous in missing else wanted.previous,
            candidate=None if wanted.candidate in missing else wanted.candidate,
        )
        if here != self._written:
            here.write(self._system.versions)
            self._written = here

    def _report(self, rejected_candidate: str | None) -> None:
        """Send a changed report at once, and an unchanged one every REPORT_EVERY_S."""
        [report] = self._files.reports() or [Report()]
        reasons = {version: reason for version, (reason, _) in self._failed.items()}
        candidate = rejected_candidate or report.candidate
        report = replace(report, candidate=candidate, rejected=report.rejected | reasons)
        now = time.monotonic()
        if self._sent is None or self._sent[0] != report or now - self._sent[1] >= REPORT_EVERY_S:
            self._store.report(report)
            self._sent = report, now
