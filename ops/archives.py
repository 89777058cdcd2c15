"""What is in an archive, read without trusting it: it may be cut off, flipped, encrypted or no archive at all."""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "MAR-INF/MANIFEST.json"
PROVENANCE = "provenance.json"


class DamagedError(Exception):
    """An archive that cannot be read whole; the message says what is wrong, in a few words."""


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    # RuntimeError is for what is encrypted, and its NotImplementedError for a compression that is not known.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, KeyError, ValueError) as error:
        raise DamagedError(type(error).__name__) from None


def read(path: Path, name: str) -> bytes:
    """A file of an archive. Raises DamagedError."""
    with _opened(path) as archive:
        return archive.read(name)


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A JSON object of an archive. Raises DamagedError."""
    with _opened(path) as archive:
        content = json.loads(archive.read(name))
    if not isinstance(content, dict):
        raise DamagedError(f"{name} is not a JSON object")
    return content


def refuse_damaged(path: Path) -> None:
    """Read all of an archive and compare its checksums. Raises DamagedError."""
    with _opened(path) as archive:
        broken = archive.testzip()
    if broken:
        raise DamagedError(f"wrong checksum of {broken}")
