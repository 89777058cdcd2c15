"""The time that requests wait in TorchServe's queue, from its own metrics."""

import re
from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from prometheus_client.core import Metric, SummaryMetricFamily

from monitoring.exporter import versions
from monitoring.exporter.parts import get

MICROSECONDS = 1e6
WAITED, REQUESTS = "ts_queue_latency_microseconds", "ts_inference_requests_total"
SAMPLE = re.compile(rf'^({WAITED}|{REQUESTS}){{.*model_version="(.*?)".*}} (\S+)$', re.MULTILINE)


class Queue:
    """The queue's sums since the exporter's start, by version.

    TorchServe calls the default version "default", whichever that is: what its counters grow by is the version's that
    is the default by then, so that a swap moves nothing from one version to the other.
    """

    def __init__(self, torchserve: str, served: Path) -> None:
        """`torchserve` is the URL of its metrics, `served` says which version is the default."""
        self._torchserve = torchserve
        self._served = served
        self._last: dict[tuple[str, str], float] = {}
        self._sums: defaultdict[tuple[str, str], float] = defaultdict(float)

    def metrics(self) -> Iterator[Metric]:
        """Sums and counts; no buckets, since TorchServe has none. Raises OSError if it does not answer."""
        status, body = get(self._torchserve, "/metrics")
        if status != HTTPStatus.OK:
            raise ConnectionError(f"{self._torchserve} does not answer")
        default = versions.read(self._served)["default"]
        counters = {(name, version): float(value) for name, version, value in SAMPLE.findall(body.decode())}
        for (name, version), value in counters.items():
            before = self._last.get((name, version), 0.0)
            self._sums[name, default if version == "default" else version] += (
                value - before if value >= before else value  # less: TorchServe was started anew
            )
        self._last = counters
        summary = SummaryMetricFamily(
            "mnist_queue_duration_seconds",
            "Time that requests wait in TorchServe's queue.",
            labels=["model_version"],
        )
        for (name, version), count in self._sums.items():
            if name == REQUESTS:
                summary.add_metric(
                    [version],
                    count_value=count,
                    sum_value=self._sums.get((WAITED, version), 0) / MICROSECONDS,
                )
        yield summary
