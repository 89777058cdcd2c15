"""Change the desired state of the model versions.

    swap(system, "1.1")              # 1.1 becomes the default
    rollback(system)                 # the previous version becomes the default
    canary(system, "1.3", "10")      # 1.3 receives 10 % of the drawings
    promote(system)                  # the canary becomes the default

A lock allows one change at a time. After a failure, the old versions continue to serve, and the error gives the reason
in one line. The controller of each replica checks a candidate, applies the state to its TorchServe (reconcile.py) and
reports; reload.py applies the state to the gateway.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime

import settings
from ops.errors import OpsError, UsageError
from ops.native import supervisor
from ops.system import System
from ops.versions.archives import DamagedError, refuse_unusable
from ops.versions.management import Management, ManagementError
from ops.versions.references import write_references
from ops.versions.reload import reload
from ops.versions.report import Report
from ops.versions.selfcheck import CheckError
from ops.versions.state import Versions, archive_name, refuse_wrong_version
from ops.versions.store import VersionsStore, open_store
from ops.wait import wait_until

EXAMPLE_OF_CANARY = "canary VERSION=1.1 PERCENT=10"
# Added to the workers' start time: an older version may drain first, or TorchServe may restart.
CANDIDATE_TIMEOUT_S = 60.0
# Includes the restart of a killed TorchServe.
FOLLOW_TIMEOUT_S = 45.0


def swap(system: System, version: str) -> None:
    """Make a version the default; the old default stays warm for a rollback. Raises OpsError."""
    refuse_wrong_version(version, "swap VERSION=1.1")
    with _lock_versions(system, "swap") as (store, versions):
        if version == versions.default:
            raise OpsError(f"VERSION '{version}' is already the default")
        _refuse_beside_canary(versions, version)
        _check_candidate(system, store, versions, version)
        _change_default(system, store, versions, version, "now")


def rollback(system: System) -> None:
    """Make the previous version the default and end a canary. Raises OpsError."""
    with _lock_versions(system, "rollback") as (store, versions):
        if versions.previous is None:
            raise OpsError("There is no previous version: no swap was made yet. See: make models")
        previous = versions.previous
        late = [report for report in _present(store) if previous not in report.ready]
        if late:
            raise OpsError(
                f"The previous version {previous} is not ready{_on(late)}; {versions.default} stays the default. "
                f"See: make models. Choose another with: make swap VERSION="
            )
        _change_default(system, store, versions, previous, "again")


def canary(system: System, version: str, percent: str) -> None:
    """Send a version a share of the drawings; 0 percent ends the canary. Raises OpsError."""
    refuse_wrong_version(version, EXAMPLE_OF_CANARY)
    share = _share(percent)
    with _lock_versions(system, "canary") as (store, versions):
        if version == versions.default:
            raise OpsError(f"VERSION '{version}' is the default; a canary must be another version")
        if not share:
            if version not in (versions.split or {}):
                raise OpsError(f"VERSION '{version}' is not a canary. See: make models")
            store.write(replace(versions, split=None))
            reload(system)
            print(f"The canary {version} ended. {versions.default} receives all drawings again.")
            return
        _refuse_beside_canary(versions, version)
        _check_candidate(system, store, versions, version)
        store.write(replace(versions, split={version: share}))
        reload(system)
        print(
            f"{version} receives {float(percent):g} % of the drawings, {versions.default} the rest. "
            f"Next: make promote, or to end it: make canary VERSION={version} PERCENT=0"
        )


def promote(system: System) -> None:
    """Make the canary the default. Raises OpsError."""
    with _lock_versions(system, "promote") as (store, versions):
        if not versions.split:
            raise OpsError("There is no canary to promote. Start one: make canary VERSION=1.1 PERCENT=10")
        [version] = versions.split
        _change_default(system, store, versions, version, "now")


@contextmanager
def _lock_versions(system: System, kind: str) -> Iterator[tuple[VersionsStore, Versions]]:
    """Hold the lock of the versions, yield their store and the current ones, and log the change."""
    store = open_store(system)
    if not _is_running(system, store):
        raise OpsError("The system is not running. Start it with: make up")
    other = "Another swap, rollback or canary is running on this system; wait until it ends. See: make models"
    with store.lock(other):
        before = store.read()
        if before.candidate:  # of a killed command
            before = replace(before, candidate=None)
            store.write(before)
        yield store, before
        if (after := store.read()) != before:
            _log_change(system, kind, after)


def _is_running(system: System, store: VersionsStore) -> bool:
    if settings.VERSIONS_IN.read() == "s3":
        return bool(_present(store))
    if not system.in_containers:
        return supervisor.processes(system) is not None
    with contextlib.suppress(ManagementError):
        Management(system.management_address).list_versions()
        return True
    return False


def _present(store: VersionsStore) -> list[Report]:
    """The reports of the replicas that are not away."""
    return [report for report in store.reports() if not report.is_away]


def _on(late: Iterable[Report]) -> str:
    """The names of late replicas for a message: " on replica NAME, NAME"; one machine's only replica has none."""
    names = ", ".join(report.replica for report in late)
    return f" on replica {names}" if names else ""


def _share(percent: str) -> float:
    with contextlib.suppress(ValueError):
        share = float(percent)
        if 0 <= share < 100 and round(share, 2) == share:
            return share / 100
    wrong = f"PERCENT '{percent}' is not a number from 0 to 99.99" if percent else "PERCENT is missing"
    raise UsageError(f"{wrong}, for example: make {EXAMPLE_OF_CANARY}")


def _refuse_beside_canary(versions: Versions, version: str) -> None:
    others = [other for other in versions.split or {} if other != version]
    if others:
        raise OpsError(
            f"{others[0]} is already the canary, and only one is allowed. First: make promote, or "
            f"make canary VERSION={others[0]} PERCENT=0"
        )


def _check_candidate(system: System, store: VersionsStore, versions: Versions, version: str) -> None:
    """Make a version the candidate, unless it answers already, and wait until every replica has checked it.

    If a check fails, remove the candidate and raise OpsError.
    """
    if version in versions.served():
        return
    try:
        _distribute_archive(system, store, version)
        # A report with an earlier command's result for the same version must not count for this command.
        _wait_or_reject(store, lambda report: report.candidate is None)
        if any(version not in report.ready for report in _present(store)):
            print(f"registering {version} ...", flush=True)
        store.write(replace(versions, candidate=version))
        latency = _wait_until_checked(store, version)
        print(
            f"{version} reads the ten known digits correctly; "
            f"its latency is {latency:.2f} times that of {versions.default}",
            flush=True,
        )
        write_references(system)
    except CheckError as error:
        store.write(versions)
        raise OpsError(f"{version} is not served: {error}. {versions.default} stays the default.") from None
    except BaseException:
        store.write(versions)
        raise


def _distribute_archive(system: System, store: VersionsStore, version: str) -> None:
    """Copy a version's archive from the store or to it, unless both have it. Raises CheckError."""
    archive = system.model_store / archive_name(version)
    try:
        store.fetch(version)
        if not archive.is_file():
            raise CheckError(f"there is no {archive} (make archive VERSION={version})")
        refuse_unusable(archive, version)
        store.share(archive)
    except (DamagedError, OpsError) as error:
        raise CheckError(str(error)) from None


def _wait_until_checked(store: VersionsStore, version: str) -> float:
    """Wait until the candidate has passed the check of every replica; the highest latency ratio. Raises CheckError."""

    def has_passed(report: Report) -> bool:
        if report.candidate == version and version in report.rejected:
            raise CheckError(f"{report.replica and f'replica {report.replica}: '}{report.rejected[version]}")
        return report.candidate == version and report.latency is not None

    _wait_or_reject(store, has_passed)
    return max((report.latency or 0.0 for report in _present(store)), default=0.0)


def _wait_or_reject(store: VersionsStore, is_done: Callable[[Report], bool]) -> None:
    timeout_s = settings.WORKERS_UP_WITHIN_SECONDS.read() + CANDIDATE_TIMEOUT_S
    late = _wait_for_replicas(store, is_done, timeout_s)
    if late is not None:
        raise CheckError(f"it was not ready{late} within {timeout_s:g} s")


def _wait_for_replicas(
    store: VersionsStore, is_done: Callable[[Report], bool], timeout_s: float
) -> str | None:
    """Wait until `is_done` is true of every replica that is not away. Returns None, or `_on` of the late replicas."""
    late: list[Report] = []

    def are_done() -> bool:
        reports = _present(store)
        late[:] = [report for report in reports if not is_done(report)]
        return bool(reports) and not late

    return None if wait_until(are_done, timeout_s, store.poll_s) else _on(late)


def _change_default(system: System, store: VersionsStore, before: Versions, version: str, when: str) -> None:
    """Change the default and wait for every replica. On a timeout, restore the old state and raise OpsError."""
    store.write(Versions(version, previous=before.default))

    def follows(report: Report) -> bool:
        return report.served is not None and report.served.default == version

    late = _wait_for_replicas(store, follows, FOLLOW_TIMEOUT_S)
    if late is not None:
        store.write(before)
        raise OpsError(
            f"{version} did not become the default{late} within {FOLLOW_TIMEOUT_S:.0f} s; "
            f"{before.default} stays the default. See: make status"
        )
    if before.split:
        reload(system)
    print(f"{version} is the default {when}. {before.default} stays loaded; to go back to it: make rollback")


def _log_change(system: System, kind: str, after: Versions) -> None:
    """Append the change to the log that the exporter reads."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "kind": kind, **asdict(after)}
    with contextlib.suppress(OSError), system.version_changes.open("a", encoding="utf-8") as changes:
        changes.write(json.dumps(line) + "\n")
