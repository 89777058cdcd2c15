"""Subjects: sources of metrics. Each scrape reads all in parallel, and a failed one does not affect the others."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from prometheus_client.core import GaugeMetricFamily, Metric

Read = Callable[[], Iterable[Metric]]
# Prometheus waits for 10 s. The slowest subject needs 6 s: two parts with a timeout of 3 s each.
TIMEOUT_S = 8.0
log = logging.getLogger("monitoring.exporter")


class Subjects:
    """A collector of prometheus_client. A read that hangs is not started a second time."""

    def __init__(self, subjects: Mapping[str, Read], timeout_s: float = TIMEOUT_S) -> None:
        self._subjects = subjects
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(max_workers=len(subjects))
        self._reading: dict[str, Future[list[Metric]]] = {}
        self._failing: set[str] = set()
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        with self._lock:  # a second scrape waits for the first one
            return iter(self._collect())

    def _collect(self) -> list[Metric]:
        for name, read in self._subjects.items():
            if name not in self._reading:
                self._reading[name] = self._threads.submit(lambda read: list(read()), read)
        wait(self._reading.values(), self._timeout_s)
        merged: dict[str, Metric] = {}
        for name in self._subjects:
            for metric in self._result(name):
                if metric.name in merged:
                    merged[metric.name].samples += metric.samples
                else:
                    merged[metric.name] = metric
        failed = {name: float(name in self._failing) for name in self._subjects}
        meaning = "1 if the subject could not be read, else 0."
        return [*merged.values(), labelled_gauge("mnist_exporter_failed", meaning, "subject", failed)]

    def _result(self, name: str) -> list[Metric]:
        if not self._reading[name].done():
            self._fail(name, f"no result within {self._timeout_s:.0f} s")
            return []
        try:
            metrics = self._reading.pop(name).result()
        except (Exception, SystemExit) as error:  # SystemExit: a secret is missing
            self._fail(name, str(error).partition("\n")[0] or type(error).__name__)
            return []
        self._failing.discard(name)
        return metrics

    def _fail(self, name: str, reason: str) -> None:
        if name not in self._failing:
            log.warning("%s cannot be read: %s", name, reason)
        self._failing.add(name)


def cache(read: Read, seconds: float) -> Read:
    """The same subject with its result, or its error, cached for some seconds: for costly subjects."""
    last: Future[list[Metric]] | None = None
    until = 0.0

    def read_cached() -> list[Metric]:
        nonlocal last, until
        if last is None or time.monotonic() >= until:
            last, until = Future(), time.monotonic() + seconds
            try:
                last.set_result(list(read()))
            except Exception as error:
                last.set_exception(error)
        return last.result()

    return read_cached


def gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    """A gauge without labels."""
    return GaugeMetricFamily(name, meaning, value=value)


def labelled_gauge(name: str, meaning: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    """A gauge with one label."""
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for label_value, value in values.items():
        family.add_metric([label_value], value)
    return family
