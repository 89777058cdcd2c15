"""The served versions, their shares of the drawings, and the number of version changes."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NotRequired, TypedDict

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitoring.exporter.subjects import labelled_gauge

CHANGES = "version_changes.jsonl"
KINDS = ("swap", "rollback", "canary", "promote")


class Served(TypedDict):
    """The document of the served versions; `split` has the share of each version beside the default."""

    default: str
    previous: NotRequired[str | None]
    split: NotRequired[dict[str, float] | None]


def read(served: Path) -> Served:
    """The served versions. Raises OSError or ValueError."""
    return json.loads(served.read_text(encoding="utf-8"))


def metrics(served: Path, state: Path) -> Iterator[Metric]:
    """Changes of the versions, their shares and their roles. Raises OSError, ValueError or KeyError."""
    changes = CounterMetricFamily("mnist_version_changes", "Changes of the served versions.", labels=["kind"])
    counts = _count_changes(state / CHANGES)
    for kind in KINDS:
        changes.add_metric([kind], counts[kind])
    yield changes
    versions = read(served)
    default, previous, split = versions["default"], versions.get("previous"), versions.get("split") or {}
    shares = {default: 1 - sum(split.values()), **split}
    roles = [(default, "default"), *((version, "split") for version in split)]
    if previous:
        shares.setdefault(previous, 0.0)
        roles.append((previous, "previous"))
    yield labelled_gauge("mnist_model_version_share", "Share of the drawings.", "model_version", shares)
    info = GaugeMetricFamily(
        "mnist_model_version_info", "The role of each version, always 1.", labels=["model_version", "role"]
    )
    for role in roles:
        info.add_metric(role, 1)
    yield info


def _count_changes(log: Path) -> Counter[str]:
    if not log.exists():
        return Counter()
    with log.open(encoding="utf-8") as lines:
        return Counter(kind for line in lines for kind in KINDS if f'"kind": "{kind}"' in line)
