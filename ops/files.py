"""Files that a reader finds whole, whenever the writer is killed or the power is cut."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the file by one that its owner alone may read: a run broken off here leaves no half of it behind."""
    unfinished = path.with_suffix(".unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.rename(path)


def write_whole(path: Path, text: str) -> None:
    """Replace the file: a reader sees the old text or the new one."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
