"""Atomic file replacement: a reader sees the old text or the new one, never a part."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically, with mode 0600."""
    unfinished = path.with_suffix(".unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.rename(path)


def write_whole(path: Path, text: str) -> None:
    """Replace the file atomically, also if the power fails."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
