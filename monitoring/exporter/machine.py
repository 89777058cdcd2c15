"""Free disk space, time of the newest backup, and expiry of the certificate."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate
from prometheus_client.core import Metric

from monitoring.exporter.subjects import gauge

TIMEOUT_S = 3.0


def disk_and_backup(state: Path, backups: Path) -> Iterator[Metric]:
    """Free space of the disk of `state`, and the time of the newest archive in `backups`. Raises OSError."""
    disk = shutil.disk_usage(state)
    yield gauge("mnist_disk_free_bytes", "Free space of the disk that stores the drawings.", disk.free)
    yield gauge("mnist_disk_size_bytes", "Size of the disk that stores the drawings.", disk.total)
    # iterdir raises PermissionError for a folder without read permission; Path.glob would return nothing.
    archives = [path for path in backups.iterdir() if path.suffix == ".tar"] if backups.exists() else []
    if times := [path.stat().st_mtime for path in archives]:
        yield gauge("mnist_backup_timestamp_seconds", "Modification time of the newest backup.", max(times))


def certificate(host: str, port: int) -> Iterator[Metric]:
    """The expiry of a server's certificate. Raises OSError."""
    pem = ssl.get_server_certificate((host, port), timeout=TIMEOUT_S)
    end = load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    yield gauge("mnist_certificate_expiry_timestamp_seconds", "Expiry of the certificate.", end.timestamp())
