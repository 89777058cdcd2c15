"""Atomic replacement of files, and checksums."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replace_file(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Yield a file that replaces `path` at the end of the block, also if the power fails.

    A reader sees the old content or the new one, never a part. After an error `path` is unchanged.
    """
    unfinished = path.with_suffix(".unfinished")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def write_whole(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace the file by a text, by `replace_file`."""
    with replace_file(path, mode) as file:
        file.write(text.encode())


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
