"""Reconcile the versions registered in TorchServe with the desired state.

    reconciler = Reconciler(Management(address), output, report, up_within_s=60)
    reconciler.reconcile(Versions.read(path))      # repeatedly: each call takes the steps that are possible now

It registers missing versions, sets the default when its workers are ready, keeps the previous version warm with one
worker, and drains unwanted versions before it unregisters them, because TorchServe ends workers with their requests.
"""

import contextlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ops.versions.management import READY, Management, RefusedError, RegisteredVersion
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

    `output` gives the reason of a worker's exit. The file `report` receives the reason if a candidate cannot be served.
    """

    management: Management
    output: WorkersOutput
    report: Path
    up_within_s: float
    now: Callable[[], float] = time.monotonic
    _serving: set[str] = field(default_factory=set)
    _draining_since: dict[str, float] = field(default_factory=dict)
    _full_workers: dict[str, int] = field(default_factory=dict)
    _failed: set[tuple[str, bool]] = field(default_factory=set)  # version, and whether as a candidate

    def reconcile(self, wanted: Versions) -> None:
        """Take every step towards the desired state that is possible now.

        Raises NotUpError if the default cannot be served, and ManagementError if TorchServe does not answer.
        """
        if wanted.default not in self.management.list_versions():
            self._register(wanted.default)
        if self.management.default() != wanted.default:
            self.management.set_default(wanted.default)
            log.info("version %s is the default", wanted.default)
        self._update_draining(set(wanted.served()))
        self._unregister_unwanted(wanted)
        others = {*wanted.served(), wanted.previous, wanted.candidate} - {wanted.default, None}
        asked = {(version, version == wanted.candidate) for version in filter(None, others)}
        self._failed &= asked
        for version, as_candidate in sorted(asked):
            self._register_if_missing(version, as_candidate=as_candidate)
        self._scale(wanted)

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
        wait_until(lambda: self.output.exit_reason(version), EXIT_REASON_TIMEOUT_S, POLL_INTERVAL_S)
        return self.output.exit_reason(version) or "its workers exit while they start"

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

    def _unregister_unwanted(self, wanted: Versions) -> None:
        kept = {*wanted.served(), wanted.previous, wanted.candidate}
        for version, found in self.management.list_versions().items():
            if version not in kept and self._is_drained(found):
                self._unregister(version)

    def _register_if_missing(self, version: str, *, as_candidate: bool) -> None:
        """Register a version other than the default, once: after a failure, only a new request retries it."""
        registered = self.management.list_versions()
        if version in registered or (version, as_candidate) in self._failed:
            return
        # The memory budget covers three versions: default, previous and candidate.
        if as_candidate and len(registered) > 2:
            return
        try:
            self._register(version)
        except NotUpError as error:
            log.error("version %s cannot be served: %s", version, error)  # noqa: TRY400
            self._failed.add((version, as_candidate))
            if as_candidate:
                self.report.write_text(json.dumps({version: str(error)}) + "\n", encoding="utf-8")

    def _scale(self, wanted: Versions) -> None:
        for version, found in self.management.list_versions().items():
            full = self._full_workers.get(version, found.wanted_workers)
            idle = version == wanted.previous and version not in wanted.served()
            workers = min(WARM_WORKERS, full) if idle else full
            if found.wanted_workers != workers and (not idle or self._is_drained(found)):
                self.management.scale(version, workers)
                log.info("version %s has %d workers", version, workers)
