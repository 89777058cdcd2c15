"""The files in which counters and histograms outlive the process that counts.

    open_folder(Path("var/metrics"))   # before the first metric is created

prometheus_client keeps them in memory-mapped files, named after the process that counts. The exporter always has the
same name, so it counts on after a restart. TorchServe's workers write their own files there: handler/stage_times.py.
"""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import values
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

NAME = "exporter"
# prometheus_client maps 64 KiB at first; this is room for some 2,000 series.
FILE_BYTES = 262_144
log = logging.getLogger("monitoring.exporter")


def open_folder(folder: Path) -> None:
    """Keep the metrics of this process in a folder. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_damaged(folder)
    for kind in ("counter", "histogram"):
        # With all of its blocks: on a full disk a write to a mapped hole would kill the process.
        with (folder / f"{kind}_{NAME}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: NAME)


def remove_damaged(folder: Path) -> None:
    """Delete files that cannot be read: with one of them no metric could be served."""
    for path in written(folder):
        try:
            readable = _used_bytes(path) <= path.stat().st_size
            list(MmapedDict.read_all_values_from_file(str(path)))
        except Exception:  # of damaged lengths, keys or numbers
            readable = False
        if not readable:
            log.error("%s is damaged and was deleted: its counters start at 0", path)
            path.unlink()


def written(folder: Path) -> list[Path]:
    """The files that have content: one that a worker just opens is empty, and cannot be read yet."""
    return [path for path in folder.glob("*.db") if path.stat().st_size]


class Files:
    """A collector of prometheus_client: what all processes counted in the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        metrics: Iterable[Metric] = MultiProcessCollector.merge([str(path) for path in written(self._folder)])
        return metrics


def _used_bytes(path: Path) -> int:
    """How much of a file is in use, which its first four bytes tell."""
    return int.from_bytes(path.read_bytes()[:4], sys.byteorder)
