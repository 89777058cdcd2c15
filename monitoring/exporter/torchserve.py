"""The time that requests wait in TorchServe's queue, from TorchServe's own metrics."""

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
    """The sums of the queue by version, since the exporter's start.

    TorchServe labels the default version "default". The increase of such a counter goes to the version that is the
    default at the scrape, so a swap moves no requests from one version to the other.
    """

    def __init__(self, torchserve: str, served: Path) -> None:
        """`torchserve` is the URL of its metrics, `served` the file that names the default version."""
        self._torchserve = torchserve
        self._served = served
        self._last: dict[tuple[str, str], float] = {}
        self._sums: defaultdict[tuple[str, str], float] = defaultdict(float)

    def metrics(self) -> Iterator[Metric]:
        """Sums and counts; TorchServe has no buckets. Raises OSError if TorchServe does not answer."""
        status, body = get(self._torchserve, "/metrics")
        if status != HTTPStatus.OK:
            raise ConnectionError(f"{self._torchserve} does not answer")
        default = versions.read(self._served)["default"]
        counters = {(name, version): float(value) for name, version, value in SAMPLE.findall(body.decode())}
        for (name, version), value in counters.items():
            before = self._last.get((name, version), 0.0)
            increase = value - before if value >= before else value  # a lower value: TorchServe was restarted
            self._sums[name, default if version == "default" else version] += increase
        self._last = counters
        meaning = "Time that requests wait in TorchServe's queue."
        summary = SummaryMetricFamily("mnist_queue_duration_seconds", meaning, labels=["model_version"])
        for (name, version), count in self._sums.items():
            if name == REQUESTS:
                waited_s = self._sums.get((WAITED, version), 0) / MICROSECONDS
                summary.add_metric([version], count_value=count, sum_value=waited_s)
        yield summary
