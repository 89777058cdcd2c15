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
REQUESTS = "ts_inference_requests_total"
SAMPLE = re.compile(
    rf'^(ts_queue_latency_microseconds|{REQUESTS}){{.*model_version="(.*?)".*}} (\S+)$',
    re.MULTILINE,
)


def metrics(torchserve: str, served: Path) -> Iterator[Metric]:
    """Sums and counts; no buckets, since TorchServe has none. Raises OSError if it does not answer.

    `torchserve` is the URL of its metrics. It calls the default version "default"; `served` says which that is.
    """
    status, body = get(torchserve, "/metrics")
    if status != HTTPStatus.OK:
        raise ConnectionError(f"{torchserve} does not answer")
    default = versions.read(served)["default"]
    waited, requests = (defaultdict[str, float](float) for _ in range(2))
    for name, version, value in SAMPLE.findall(body.decode()):
        sums = requests if name == REQUESTS else waited
        sums[default if version == "default" else version] += float(value)
    summary = SummaryMetricFamily(
        "mnist_queue_duration_seconds",
        "Time that requests wait in TorchServe's queue.",
        labels=["model_version"],
    )
    for version, count in requests.items():
        summary.add_metric([version], count_value=count, sum_value=waited[version] / MICROSECONDS)
    yield summary
