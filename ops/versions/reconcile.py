"""Reconcile the versions registered in TorchServe with the desired state.

    reconciler = Reconciler(Management(address), output, report, check, up_within_s=60)
    reconciler.reconcile(Versions.read(path))      # repeatedly: each call takes the steps that are possible now

It registers missing versions, sets the default when its workers are ready, checks the candidate, keeps the previous
version warm with one worker, and drains unwanted versions before it unregisters them, because TorchServe ends workers
with their requests.
"""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from ops.versions.management import READY, Management, ManagementError, RefusedError, RegisteredVersion
from ops.versions.report import Report
from ops.versions.selfcheck import CheckError, refuse_little_memory
from ops.versions.state import Versions
from ops.versions.workers_output import WorkersOutput
from ops.wait import wait_until

POLL_INTERVAL_S = 0.1
# A worker's last output may arrive after its end is reported. On a busy machine TorchServe loses some of that output,
# so the wait includes the worker's next one or two starts.
EXIT_REASON_TIMEOUT_S = 12.0
# The gateway's timeout for a prediction; the longest explanation takes half of it on a busy machine.
DRAIN_S = 10.0
WARM_WORKERS = 1

log = logging.getLogger("ops.versions.reconcile")


class NotUpError(Exception):
    """A version cannot be served; the message gives the reason in one line."""


@dataclass
class Reconciler:
    """The reconciler of one TorchServe process; it keeps drain times and failures.

    `output` gives the reason of a worker's exit. `report` receives a report after each call, and as soon as the default
    has changed. `check(candidate, default)` returns the latency ratio of a candidate or raises CheckError.
    """

    management: Management
    output: WorkersOutput
    report: Callable[[Report], None]
    check: Callable[[str, str], float]
    up_within_s: float
    now: Callable[[], float] = time.monotonic
    _served: Versions | None = None
    _candidate: str | None = None
    _latency: float | None = None
    _serving: set[str] = field(default_factory=set)
    _draining_since: dict[str, float] = field(default_factory=dict)
    _full_workers: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)  # reason by version

    def reconcile(self, wanted: Versions) -> None:
        """Take every step towards the desired state that is possible now.

        Raises NotUpError if the default cannot be served, and ManagementError if TorchServe does not answer.
        """
        try:
            self._reconcile(wanted)
        finally:
            self._report()

    def _reconcile(self, wanted: Versions) -> None:
        if wanted.candidate != self._candidate:
            self._candidate, self._latency = wanted.candidate, None
            if wanted.candidate:
                self._failed.pop(wanted.candidate, None)  # this command tries it again
        named = set(wanted.named())
        self._failed = {version: reason for version, reason in self._failed.items() if version in named}
        self._serve_default(wanted)
        self._update_draining(set(wanted.served()))
        self._unregister_except(named)
        for version in sorted(named - {wanted.default}):
            self._register_if_missing(version)
        self._scale(wanted)
        self._served = replace(wanted, candidate=None)
        self._check_candidate(wanted.default)

    def _report(self) -> None:
        registered: dict[str, RegisteredVersion] = {}
        with contextlib.suppress(ManagementError):
            registered = self.management.list_versions()
        ready = sorted(version for version, found in registered.items() if found.is_up)
        self.report(Report(self._served, ready, self._candidate, self._latency, dict(self._failed)))

    def _serve_default(self, wanted: Versions) -> None:
        if wanted.default not in self.management.list_versions():
            try:
                self._register(wanted.default)
            except NotUpError as error:
                self._failed[wanted.default] = str(error)
                raise
        self._failed.pop(wanted.default, None)
        if self.management.default() != wanted.default:
            self.management.set_default(wanted.default)
            log.info("version %s is the default", wanted.default)
            self._served = replace(wanted, candidate=None)
            self._report()  # a command waits for it; the next steps may take seconds

    def _register(self, version: str) -> None:
        """Register a version and wait for its workers. On failure, unregister it and raise NotUpError."""
        log.info("registering version %s", version)
        self.output.reset(version)
        try:
            self.management.register(version)
        except RefusedError as error:
            raise NotUpError(str(error)) from None
        try:
            self._wait_for(version)
        except NotUpError:
            self._unregister(version)
            raise
        log.info("version %s is ready", version)

    def _wait_for(self, version: str) -> None:
        first: dict[str, int] = {}  # each worker's first process id

        def is_up() -> bool:
            found = self.management.list_versions().get(version)
            if found is None:
                raise NotUpError("TorchServe unregistered it")
            if found.is_up:
                self._full_workers[version] = found.wanted_workers
                return True
            for name, worker in found.workers.items():
                if worker.pid > 0 and first.setdefault(name, worker.pid) != worker.pid:
                    raise NotUpError(self._exit_reason(version))
            return False

        if not wait_until(is_up, self.up_within_s, POLL_INTERVAL_S):
            raise NotUpError(f"its workers were not ready within {self.up_within_s:g} s")

    def _exit_reason(self, version: str) -> str:
        reason = wait_until(partial(self.output.exit_reason, version), EXIT_REASON_TIMEOUT_S, POLL_INTERVAL_S)
        return reason or "its workers exit while they start"

    def _unregister(self, version: str) -> None:
        """Unregister a version without a drain.

        Kills workers that are not ready first: TorchServe would wait for them and block every connection of the same
        thread.
        """
        found = self.management.list_versions().get(version)
        for worker in found.workers.values() if found else ():
            if worker.state != READY and worker.pid > 0:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
        self.management.unregister(version)
        self._draining_since.pop(version, None)
        log.info("version %s is unregistered", version)

    def _update_draining(self, receiving: set[str]) -> None:
        for version in self._serving - receiving:
            self._draining_since[version] = self.now()
        for version in receiving:
            self._draining_since.pop(version, None)
        self._serving = receiving

    def _is_drained(self, found: RegisteredVersion) -> bool:
        since = self._draining_since.get(found.version, -DRAIN_S)
        return found.pending == 0 and self.now() - since >= DRAIN_S

    def _unregister_except(self, named: set[str]) -> None:
        for version, found in self.management.list_versions().items():
            if version not in named and self._is_drained(found):
                self._unregister(version)

    def _register_if_missing(self, version: str) -> None:
        """Register a version other than the default, once: after a failure, only a new command retries it."""
        registered = self.management.list_versions()
        if version in registered or version in self._failed:
            return
        # The memory budget covers three versions: default, previous and candidate.
        if version == self._candidate and len(registered) > 2:
            return
        try:
            if version == self._candidate:
                refuse_little_memory()
            self._register(version)
        except (CheckError, NotUpError) as error:
            log.error("version %s cannot be served: %s", version, error)  # noqa: TRY400
            self._failed[version] = str(error)

    def _scale(self, wanted: Versions) -> None:
        for version, found in self.management.list_versions().items():
            full = self._full_workers.get(version, found.wanted_workers)
            idle = version == wanted.previous and version not in wanted.served()
            workers = min(WARM_WORKERS, full) if idle else full
            if found.wanted_workers != workers and (not idle or self._is_drained(found)):
                self.management.scale(version, workers)
                log.info("version %s has %d workers", version, workers)

    def _check_candidate(self, default: str) -> None:
        """Check the candidate, once, when its workers are ready."""
        version = self._candidate
        if version is None or self._latency is not None or version in self._failed:
            return
        found = self.management.list_versions().get(version)
        if found and found.is_up:
            try:
                self._latency = self.check(version, default)
            except CheckError as error:
                log.error("version %s is rejected: %s", version, error)  # noqa: TRY400
                self._failed[version] = str(error)
