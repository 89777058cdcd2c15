"""Serve the metrics of the whole system at /metrics.

    python -m monitoring.exporter --listen 127.0.0.1:8005 --files var/metrics --gateway http://127.0.0.1:8001 ...

Files keep counters and histograms across restarts: requests, from the gateway's access log (requests.py), and stage
durations, from TorchServe's workers (handler/stage_times.py). Each scrape reads all other metrics (subjects.py). Where
the parts are on several machines, an exporter beside each reads the subjects whose files are there (--subjects).
"""

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from json_logs import log_as_json
from monitoring.exporter import database, files, machine, outbox, parts, torchserve, versions
from monitoring.exporter.requests import AccessLog
from monitoring.exporter.server import serve
from monitoring.exporter.subjects import Read, Subjects, cache

# Estimated accuracy and drift read up to 10,000 rows, which takes 25 and 10 ms.
QUALITY_EVERY_S = 60


def address(text: str) -> tuple[str, int]:
    """HOST:PORT as host and port."""
    host, _, port = text.rpartition(":")
    return host, int(port)


OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "listen": (address, "HOST:PORT of /metrics (TCP) and of the gateway's access log (UDP)"),
    "files": (Path, "folder of the files that keep counters and histograms"),
    "gateway": (str, "URL of the gateway's inner listener"),
    "page": (str, "URL of the page, or unix:PATH"),
    "torchserve": (str, "URL of TorchServe's metrics"),
    "outbox": (Path, "SQLite file of the outbox"),
    "state": (Path, "folder of version_changes.jsonl; its disk is measured"),
    "served": (Path, "JSON file of the served versions, in the format of versions.json"),
    "backups": (Path, "folder of the backups"),
}


def main() -> None:
    log_as_json("exporter")
    # By default Linux ignores it in process 1 of a container.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    parser = argparse.ArgumentParser(prog="monitoring.exporter", description=__doc__.partition("\n")[0])
    for name, (kind, meaning) in OPTIONS.items():
        required = name in ("listen", "files") or "--subjects" not in " ".join(sys.argv)
        parser.add_argument(f"--{name}", type=kind, required=required, help=meaning)
    parser.add_argument("--tls", type=address, help="HOST:PORT of the server whose certificate is checked")
    parser.add_argument("--subjects", nargs="+", help="the subjects to read (default: all)")
    given = parser.parse_args()
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
        "quality": cache(database.quality, QUALITY_EVERY_S),
        "versions": lambda: versions.metrics(given.served, given.state),
        "machine": lambda: machine.disk_and_backup(given.state, given.backups),
    }
    if given.tls:
        subjects["certificate"] = lambda: machine.certificate(*given.tls)
    wanted = given.subjects or list(subjects)
    if unknown := [name for name in wanted if name not in subjects]:
        parser.error(f"SUBJECT '{unknown[0]}' is not one of {', '.join(subjects)}")
    registry.register(Subjects({name: subjects[name] for name in wanted}))
    host, port = given.listen
    access_log = AccessLog(host, port)
    serve(host, port, registry)
    logging.getLogger("monitoring.exporter").info("listening on %s:%s", host, port)
    access_log.count_forever()


if __name__ == "__main__":
    main()
