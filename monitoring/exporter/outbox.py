"""The outbox: number and age of waiting rows, rejected rows, and the state of the deliverer."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from prometheus_client.core import Metric

from monitoring.exporter.parts import PART_UP
from monitoring.exporter.subjects import gauge, labelled_gauge

TIMEOUT_S = 2.0
# The limit of `ui.deliverer --check`.
LATE_AFTER_S = 10.0


def metrics(outbox: Path) -> Iterator[Metric]:
    """The rows of the outbox's file; without a file all values are 0. Raises sqlite3.Error."""
    waiting, since, rejected = _read(outbox) if outbox.exists() else (0, None, 0)
    age_s = 0.0 if since is None else max(0.0, time.time() - since)
    yield gauge("mnist_outbox_rows", "Answers and labels that wait for the database.", waiting)
    yield gauge("mnist_outbox_oldest_age_seconds", "Age of the oldest row that waits.", age_s)
    yield gauge("mnist_outbox_rejected_rows", "Rows that the database rejected.", rejected)
    yield labelled_gauge(*PART_UP, {"deliverer": float(age_s < LATE_AFTER_S)})


def _read(outbox: Path) -> tuple[int, float | None, int]:
    uri = f"{outbox.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT_S)) as connection:
        waiting, since = connection.execute("SELECT count(*), min(since) FROM waiting").fetchone()
        [rejected] = connection.execute("SELECT count(*) FROM rejected").fetchone()
        return waiting, since, rejected
