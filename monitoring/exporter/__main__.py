"""Serve the metrics of the whole system at /metrics.

    python -m monitoring.exporter --listen 127.0.0.1:8005 --files var/metrics --gateway http://127.0.0.1:8001 ...

There are two kinds of metrics. Counters and histograms are kept in files, so that they survive a restart: requests
come from the gateway's access log (requests.py), times of the stages from TorchServe's workers
(handler/stage_times.py). Everything else is read when Prometheus asks (subjects.py).
"""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from json_logs import log_as_json
from monitoring.exporter import database, files, machine, outbox, parts, torchserve, versions
from monitoring.exporter.requests import Requests
from monitoring.exporter.server import serve
from monitoring.exporter.subjects import Read, Subjects, seldom

# Estimated accuracy and drift read up to 10,000 rows, for 25 and 10 ms.
QUALITY_EVERY_S = 60


def address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="monitoring.exporter", description=__doc__.partition("\n")[0])
    options: dict[str, tuple[Callable[[str], object], str]] = {
        "listen": (address, "HOST:PORT of /metrics (TCP) and of the gateway's access log (UDP)"),
        "files": (Path, "folder of the files that hold counters and histograms"),
        "gateway": (str, "URL of the gateway's inner listener"),
        "page": (str, "URL of the page, or unix:PATH"),
        "torchserve": (str, "URL of TorchServe's metrics"),
        "outbox": (Path, "the outbox, a SQLite file"),
        "state": (Path, "folder of version_changes.jsonl, on the disk that is watched"),
        "served": (Path, "which versions TorchServe serves, as in versions.json"),
        "backups": (Path, "folder of the backups"),
    }
    for name, (kind, meaning) in options.items():
        parser.add_argument(f"--{name}", type=kind, required=True, help=meaning)
    parser.add_argument("--tls", type=address, help="HOST:PORT whose certificate is watched")
    return parser.parse_args()


def main() -> None:
    log_as_json("exporter")
    given = _arguments()
    files.open_folder(given.files)
    registry = CollectorRegistry()
    registry.register(files.Files(given.files))
    queue = torchserve.Queue(given.torchserve, given.served)
    subjects: dict[str, Read] = {
        "parts": lambda: parts.metrics(given.gateway, given.page),
        "torchserve": queue.metrics,
        "outbox": lambda: outbox.metrics(given.outbox),
        "postgres": database.up,
        "database": database.metrics,
        "quality": seldom(database.quality, QUALITY_EVERY_S),
        "versions": lambda: versions.metrics(given.served, given.state),
        "machine": lambda: machine.disk_and_backup(given.state, given.backups),
    }
    if given.tls:
        subjects["certificate"] = lambda: machine.certificate(*given.tls)
    registry.register(Subjects(subjects))
    host, port = given.listen
    requests = Requests(host, port)
    serve(host, port, registry)
    logging.getLogger("monitoring.exporter").info("listening on %s:%s", host, port)
    requests.read()


if __name__ == "__main__":
    main()
