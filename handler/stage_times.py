"""Measure the stages of a prediction, in files that the exporter reads for Prometheus.

    stage_times = open_stage_times("1.3")
    with stage_times("network"): ...

Without the setting METRICS_FILES nothing is measured, and prometheus_client is not imported. An observation costs 3 µs.
"""

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

# As in monitoring/exporter/requests.py.
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

StageTimes = Callable[[str], AbstractContextManager[None]]
# prometheus_client maps this much of a file into memory.
FILE_BYTES = 65_536
_locks: list[int] = []  # file descriptors, open as long as the process lives

logger = logging.getLogger(__name__)


def open_stage_times(version: str) -> StageTimes:
    """A context manager for each stage, which measures its time."""
    folder = os.environ.get("METRICS_FILES")
    try:
        name = _free_name(Path(folder)) if folder else None
    except OSError as error:
        logger.warning("The stages are not measured: %s.", error)
        name = None
    if folder is None or name is None:
        return lambda _stage: contextlib.nullcontext()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    from prometheus_client import Histogram, values  # not in all environments that import a handler

    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: name)
    histogram = Histogram(
        "mnist_stage_duration_seconds",
        "Time of the stages of a prediction in the model's worker.",
        ["stage", "model_version"],
        buckets=BUCKETS_S,
        registry=None,
    )

    @contextlib.contextmanager
    def measure(stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        with contextlib.suppress(Exception):  # a damaged file must not cost an answer
            histogram.labels(stage, version).observe(time.perf_counter() - started)

    return measure


def _free_name(folder: Path) -> str:
    """The first free name. A new worker reuses the file of one that ended, so there are few files."""
    for number in count(1):
        lock = os.open(folder / f"worker{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        _locks.append(lock)
        # On a full disk, a write to an unallocated block of a mapped file kills the process.
        with (folder / f"histogram_worker{number}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
        return f"worker{number}"
    raise AssertionError
