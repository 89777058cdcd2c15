"""Checks of the subjects that the exporter reads at a scrape.

    python -m tests.monitoring.subjects_checks NAME

Runs in the exporter's environment, which has no pytest (test_subjects.py).
"""

import json
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from monitoring.exporter import torchserve
from monitoring.exporter.subjects import Subjects, cache, gauge


def _samples(subjects: Subjects) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("subject", "")): sample.value
        for metric in subjects.collect()
        for sample in metric.samples
    }


def a_hanging_subject_is_reported_and_hides_no_other():
    released, running = threading.Event(), []

    def hangs():
        running.append(1)
        released.wait(30)
        return [gauge("late", "", 1)]

    subjects = Subjects({"slow": hangs, "good": lambda: [gauge("good", "", 1)]}, timeout_s=0.1)
    try:
        for _ in range(3):
            found = _samples(subjects)
            assert found["good", ""] == 1
            assert found["mnist_exporter_failed", "slow"] == 1
            assert found["mnist_exporter_failed", "good"] == 0
        assert len(running) == 1  # otherwise each scrape would start another thread
    finally:
        released.set()
    while ("late", "") not in (found := _samples(subjects)):
        time.sleep(0.01)
    assert found["mnist_exporter_failed", "slow"] == 0


def a_cached_subject_is_read_once_even_if_it_fails():
    calls = []

    def fails():
        calls.append(1)
        raise ConnectionError("away")

    read = cache(fails, 60)
    for _ in range(3):
        with suppress(ConnectionError):
            read()
            raise AssertionError
    assert len(calls) == 1
    again = cache(lambda: calls.append(1) or [], 0)
    again()
    again()
    assert len(calls) == 3


class _TorchServe:
    """A stand-in with metrics and a default version."""

    def __init__(self, folder) -> None:
        self.served = folder / "served.json"
        self.waited = self.count = 0.0

    def add_requests(self, default: str, more: float) -> None:
        self.served.write_text(json.dumps({"default": default}))
        self.count += more
        self.waited += more * 1e6

    def get(self, *_: str) -> tuple[int, bytes]:
        labels = 'model_name="mnist",model_version="default",hostname="x"'
        lines = (
            f"ts_inference_requests_total{{{labels}}} {self.count}\n"
            f"ts_queue_latency_microseconds{{{labels}}} {self.waited}\n"
        )
        return 200, lines.encode()


def a_swap_moves_no_queue_time_to_the_other_version():
    server = _TorchServe(Path(tempfile.mkdtemp()))
    torchserve.get = server.get
    queue = torchserve.Queue("", server.served)

    def counts() -> dict[str, float]:
        return {
            sample.labels["model_version"]: sample.value
            for metric in queue.metrics()
            for sample in metric.samples
            if sample.name.endswith("_count")
        }

    server.add_requests("1.3", 100)
    assert counts() == {"1.3": 100}
    server.add_requests("1.4", 5)
    assert counts() == {"1.3": 100, "1.4": 5}
    server.count = server.waited = 0  # a restart
    server.add_requests("1.4", 2)
    assert counts() == {"1.3": 100, "1.4": 7}


if __name__ == "__main__":
    globals()[sys.argv[1]]()
