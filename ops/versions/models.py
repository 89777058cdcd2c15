"""Print a table of the model versions: role, workers, validation accuracy and accuracy in use.

It lists every version with an archive, a registration in TorchServe or a role in the desired state. For several
replicas, a second table lists the replicas, and the first one leaves out workers and queue.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ops.native import postgres
from ops.system import System
from ops.versions.archives import PROVENANCE, DamagedError, read_json
from ops.versions.management import READY, Management, ManagementError, RegisteredVersion
from ops.versions.report import Report
from ops.versions.state import Versions, list_archives, version_key
from ops.versions.store import open_store, read_current

# Triggers keep these counts (sql/migrations/0003_history.sql).
ANSWERS = """
SELECT model_version, sum(drawings)::bigint,
       coalesce(sum(drawings) FILTER (WHERE true_label IS NOT NULL), 0)::bigint,
       coalesce(sum(drawings) FILTER (WHERE true_label = prediction), 0)::bigint
FROM insights WHERE facet = 'answer' GROUP BY model_version
"""
REPLICA_COLUMNS = ("replica", "state", "serves", "ready", "rejected")
COLUMNS = ("version", "role", "workers", "queue", "validation", "drawings", "accuracy in use", "archive")


@dataclass(frozen=True)
class Usage:
    """A version's answered drawings, how many of them have a label, and how many labels equal the prediction."""

    answers: int = 0
    labelled: int = 0
    right: int = 0


def models(system: System) -> None:
    """Print the table."""
    store = open_store(system)
    versions, reports = read_current(store), store.reports()
    several = any(report.replica for report in reports)
    registered, away = ({}, "") if several else _list_versions(system)
    used, unknown = _read_usage(system)
    archives = list_archives(system.model_store)
    every = sorted({*archives, *registered, *versions.named()}, key=version_key, reverse=True)
    rows: list[tuple[str, ...]] = [COLUMNS]
    for version in every:
        usage = used.get(version, Usage())
        rows.append(
            (
                version,
                _role(versions, version),
                _workers(registered.get(version)),
                str(registered[version].pending) if version in registered else "-",
                _validation(archives.get(version)),
                "?" if unknown else f"{usage.answers:,}",
                "?" if unknown else _right(usage),
                archives[version].name if version in archives else "missing",
            )
        )
    _print_table(rows)
    if several:
        print()
        _print_table([REPLICA_COLUMNS, *map(_replica, reports)])
    for note in filter(None, (away, unknown)):
        print(f"\n{note}")


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def _replica(report: Report) -> tuple[str, ...]:
    """A replica's row in the second table."""
    state = f"away for {report.age_s:.0f} s" if report.is_away else "present"
    serves = ", ".join(report.served.served()) if report.served else "nothing yet"
    rejected = "; ".join(f"{version}: {reason}" for version, reason in report.rejected.items())
    return report.replica, state, serves, ", ".join(report.ready) or "-", rejected or "-"


def _role(versions: Versions, version: str) -> str:
    roles = []
    share = (versions.split or {}).get(version)
    if version == versions.default:
        rest = 1 - sum((versions.split or {}).values())
        roles.append("default" if rest == 1 else f"default, {100 * rest:g} %")
    if share is not None:
        roles.append(f"canary, {100 * share:g} %")
    if version == versions.previous:
        roles.append("previous")
    if version == versions.candidate:
        roles.append("candidate")
    return "; ".join(roles) or "-"


def _workers(found: RegisteredVersion | None) -> str:
    if found is None:
        return "-"
    # TorchServe reports UNLOADING both for a starting and for an ending worker.
    counts = Counter("ready" if worker.state == READY else "not ready" for worker in found.workers.values())
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"


def _validation(archive: Path | None) -> str:
    """The accuracy on MNIST's validation split; a dash if the archive has none or is damaged."""
    try:
        metrics = read_json(archive, PROVENANCE).get("metrics") if archive else None
    except DamagedError:
        return "-"
    accuracy = metrics.get("validation_accuracy") if isinstance(metrics, dict) else None
    return f"{accuracy:.2%}" if isinstance(accuracy, float) else "-"


def _right(used: Usage) -> str:
    return f"{used.right / used.labelled:.1%} of {used.labelled:,}" if used.labelled else "-"


def _list_versions(system: System) -> tuple[dict[str, RegisteredVersion], str]:
    with contextlib.suppress(ManagementError):
        return Management(system.management_address).list_versions(), ""
    return {}, "TorchServe unavailable: workers and queues are unknown. See: make status"


def _read_usage(system: System) -> tuple[dict[str, Usage], str]:
    try:
        with postgres.connect(system) as connection:
            return {version: Usage(*counts) for version, *counts in connection.execute(ANSWERS)}, ""
    except (OSError, psycopg.Error):
        return {}, "Database unavailable: drawings and accuracy in use are unknown. See: make status"
