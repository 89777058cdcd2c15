"""Which versions answer which share, and how often that was changed."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitoring.exporter.subjects import labelled

CHANGES = "version_changes.jsonl"
KINDS = ("swap", "rollback", "canary", "promote")


def read(served: Path) -> dict[str, Any]:
    """The document of the served versions. Raises OSError or ValueError."""
    versions: dict[str, Any] = json.loads(served.read_text(encoding="utf-8"))
    return versions


def metrics(served: Path, state: Path) -> Iterator[Metric]:
    """Raises OSError, ValueError or KeyError."""
    changes = CounterMetricFamily("mnist_version_changes", "Changes of the served versions.", labels=["kind"])
    counts = _changes(state / CHANGES)
    for kind in KINDS:
        changes.add_metric([kind], counts[kind])
    yield changes
    versions = read(served)
    split = versions.get("split") or {}
    shares = {versions["default"]: 1 - sum(split.values()), **split}
    if previous := versions.get("previous"):
        shares.setdefault(previous, 0.0)
    yield labelled("mnist_model_version_share", "Share of the drawings.", "model_version", shares)
    info = GaugeMetricFamily(
        "mnist_model_version_info", "The role of each version, always 1.", labels=["model_version", "role"]
    )
    roles = [
        (versions["default"], "default"),
        (versions.get("previous"), "previous"),
        *((v, "split") for v in split),
    ]
    for version, role in roles:
        if version:
            info.add_metric([version, role], 1)
    yield info


def _changes(log: Path) -> Counter[str]:
    if not log.exists():
        return Counter()
    with log.open(encoding="utf-8") as lines:
        return Counter(kind for line in lines for kind in KINDS if f'"kind": "{kind}"' in line)
