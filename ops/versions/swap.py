"""Change the desired state of the model versions.

    swap(system, "1.1")              # 1.1 becomes the default
    rollback(system)                 # the previous version becomes the default
    canary(system, "1.3", "10")      # 1.3 receives 10 % of the drawings
    promote(system)                  # the canary becomes the default

A lock allows one change at a time. After a failure, the old versions continue to serve, and the error gives the reason
in one line. The controller applies the state file to TorchServe (reconcile.py), reload.py applies it to the gateway.
"""

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil

import settings
from ops import lock
from ops.errors import OpsError, UsageError
from ops.native import supervisor
from ops.system import System
from ops.versions.archives import DamagedError, refuse_unusable
from ops.versions.management import Management, ManagementError
from ops.versions.references import write_references
from ops.versions.reload import reload
from ops.versions.selfcheck import CheckError, check
from ops.versions.state import Versions, archive_name, refuse_wrong_version
from ops.wait import wait_until

EXAMPLE_OF_CANARY = "canary VERSION=1.1 PERCENT=10"
# Two workers, and the JVM's memory to unpack an archive.
NEEDED_MIB = 700
# Added to the workers' start time: an older version may drain first, or TorchServe may restart.
CANDIDATE_TIMEOUT_S = 60.0
# Includes the restart of a killed TorchServe.
FOLLOW_TIMEOUT_S = 45.0
POLL_INTERVAL_S = 0.05


def swap(system: System, version: str) -> None:
    """Make a version the default; the old default stays warm for a rollback. Raises OpsError."""
    refuse_wrong_version(version, "swap VERSION=1.1")
    with _lock_versions(system, "swap") as versions:
        if version == versions.default:
            raise OpsError(f"VERSION '{version}' is already the default")
        _refuse_beside_canary(versions, version)
        _check_candidate(system, versions, version)
        _change_default(system, versions, version, "now")


def rollback(system: System) -> None:
    """Make the previous version the default and end a canary. Raises OpsError."""
    with _lock_versions(system, "rollback") as versions:
        if versions.previous is None:
            raise OpsError("There is no previous version: no swap was made yet. See: make models")
        if not _is_up(system, versions.previous):
            raise OpsError(
                f"The previous version {versions.previous} is not ready; {versions.default} stays the default. "
                f"See: make models. Choose another with: make swap VERSION="
            )
        _change_default(system, versions, versions.previous, "again")


def canary(system: System, version: str, percent: str) -> None:
    """Send a version a share of the drawings; 0 percent ends the canary. Raises OpsError."""
    refuse_wrong_version(version, EXAMPLE_OF_CANARY)
    share = _share(percent)
    with _lock_versions(system, "canary") as versions:
        if version == versions.default:
            raise OpsError(f"VERSION '{version}' is the default; a canary must be another version")
        if not share:
            if version not in (versions.split or {}):
                raise OpsError(f"VERSION '{version}' is not a canary. See: make models")
            replace(versions, split=None).write(system.versions)
            reload(system)
            print(f"The canary {version} ended. {versions.default} receives all drawings again.")
            return
        _refuse_beside_canary(versions, version)
        _check_candidate(system, versions, version)
        replace(versions, split={version: share}).write(system.versions)
        reload(system)
        print(
            f"{version} receives {float(percent):g} % of the drawings, {versions.default} the rest. "
            f"Next: make promote, or to end it: make canary VERSION={version} PERCENT=0"
        )


def promote(system: System) -> None:
    """Make the canary the default. Raises OpsError."""
    with _lock_versions(system, "promote") as versions:
        if not versions.split:
            raise OpsError("There is no canary to promote. Start one: make canary VERSION=1.1 PERCENT=10")
        [version] = versions.split
        _change_default(system, versions, version, "now")


@contextmanager
def _lock_versions(system: System, kind: str) -> Iterator[Versions]:
    """Hold the lock of the versions, yield the current versions, and log the change."""
    if not _is_running(system):
        raise OpsError("The system is not running. Start it with: make up")
    other = "Another swap, rollback or canary is running on this system; wait until it ends. See: make models"
    with lock.hold(system.versions_lock, other):
        # A killed command leaves its candidate.
        before = replace(Versions.read(system.versions), candidate=None)
        yield before
        if (after := Versions.read(system.versions)) != before:
            _log_change(system, kind, after)


def _is_running(system: System) -> bool:
    if not system.in_containers:
        return supervisor.processes(system) is not None
    with contextlib.suppress(ManagementError):
        Management(system.management_address).list_versions()
        return True
    return False


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


def _check_candidate(system: System, versions: Versions, version: str) -> None:
    """Register a version, unless it answers already, as candidate and check its answers.

    On failure, remove it and raise OpsError.
    """
    if version in versions.served():
        return
    try:
        _refuse_archive(system.model_store / archive_name(version), version)
        _refuse_little_memory()
        system.rejected.unlink(missing_ok=True)
        if not _is_up(system, version):
            print(f"registering {version} ...", flush=True)
        replace(versions, candidate=version).write(system.versions)
        _wait_until_up(system, version)
        ratio = check(system.inference_url, version, versions.default)
        print(
            f"{version} reads the ten known digits correctly; "
            f"its latency is {ratio:.2f} times that of {versions.default}",
            flush=True,
        )
        write_references(system)
    except CheckError as error:
        versions.write(system.versions)
        raise OpsError(f"{version} is not served: {error}. {versions.default} stays the default.") from None
    except BaseException:
        versions.write(system.versions)
        raise


def _refuse_archive(path: Path, version: str) -> None:
    if not path.is_file():
        raise CheckError(f"there is no {path} (make archive VERSION={version})")
    try:
        refuse_unusable(path, version)
    except DamagedError as error:
        raise CheckError(str(error)) from None


def _refuse_little_memory() -> None:
    free = psutil.virtual_memory().available / 2**20
    if free < NEEDED_MIB:
        raise CheckError(f"it needs {NEEDED_MIB} MiB of memory, and {free:.0f} MiB are free")


def _wait_until_up(system: System, version: str) -> None:
    def is_up_or_fails() -> bool:
        if (why := _rejection(system)) and version in why:
            raise CheckError(why[version])
        return _is_up(system, version)

    timeout_s = settings.WORKERS_UP_WITHIN_SECONDS.read() + CANDIDATE_TIMEOUT_S
    if not wait_until(is_up_or_fails, timeout_s, POLL_INTERVAL_S):
        raise CheckError(f"it was not ready within {timeout_s:g} s")


def _rejection(system: System) -> dict[str, str]:
    with contextlib.suppress(FileNotFoundError, ValueError):  # missing or incompletely written
        rejected: dict[str, str] = json.loads(system.rejected.read_text(encoding="utf-8"))
        return rejected
    return {}


def _is_up(system: System, version: str) -> bool:
    """Whether all desired workers of a version are ready; False if TorchServe does not answer."""
    with contextlib.suppress(ManagementError):
        found = Management(system.management_address).list_versions().get(version)
        return found is not None and found.is_up
    return False


def _change_default(system: System, before: Versions, version: str, when: str) -> None:
    """Change the default and wait for TorchServe. On a timeout, restore the old state and raise OpsError."""
    after = Versions(version, previous=before.default)
    management = Management(system.management_address)

    def is_default() -> bool:
        with contextlib.suppress(ManagementError):
            return management.default() == after.default
        return False

    after.write(system.versions)
    if not wait_until(is_default, FOLLOW_TIMEOUT_S, POLL_INTERVAL_S):
        before.write(system.versions)
        raise OpsError(
            f"{after.default} did not become the default within {FOLLOW_TIMEOUT_S:.0f} s; "
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
