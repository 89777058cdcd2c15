"""Files that keep counters and histograms across restarts of the process.

    open_folder(Path("var/metrics"))   # before the first metric is created

prometheus_client keeps them in memory-mapped files and names each file after its process. The exporter always uses
the same name, so it continues to count after a restart. TorchServe's workers write their own files into the same
folder (handler/stage_times.py).
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
# Enough for about 2,000 series. prometheus_client starts with 64 KiB.
FILE_BYTES = 262_144
log = logging.getLogger("monitoring.exporter")


def open_folder(folder: Path) -> None:
    """Keep the metrics of this process in a folder. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_damaged(folder)
    for kind in ("counter", "histogram"):
        # Allocate all blocks: on a full disk, a write to an unallocated block of a mapped file kills the process.
        with (folder / f"{kind}_{NAME}.db").open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: NAME)


def remove_damaged(folder: Path) -> None:
    """Delete unreadable files: a single one would make every scrape fail."""
    for path in nonempty_files(folder):
        try:
            used_bytes = int.from_bytes(path.read_bytes()[:4], sys.byteorder)
            readable = used_bytes <= path.stat().st_size
            list(MmapedDict.read_all_values_from_file(str(path)))
        except Exception:  # damaged lengths, keys or numbers raise any exception
            readable = False
        if not readable:
            log.error("%s is damaged and was deleted: its counters start at 0", path)
            path.unlink()


def nonempty_files(folder: Path) -> list[Path]:
    """The files with content. A file that a worker has just created is empty and cannot be read yet."""
    return [path for path in folder.glob("*.db") if path.stat().st_size]


class Files:
    """A collector of prometheus_client: the sums over the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        return MultiProcessCollector.merge([str(path) for path in nonempty_files(self._folder)])
