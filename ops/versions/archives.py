"""Read files of a .mar archive. It may be truncated, corrupt, encrypted, or another file."""

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.versions.management import MODEL

MANIFEST = "MAR-INF/MANIFEST.json"
PROVENANCE = "provenance.json"
# zipfile raises RuntimeError for an encrypted file, and its subclass NotImplementedError for an unknown compression.
UNREADABLE = (OSError, EOFError, RuntimeError, KeyError, ValueError)


class DamagedError(Exception):
    """The archive is damaged; the message gives the reason in a few words."""


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, struct.error, *UNREADABLE) as error:
        raise DamagedError(type(error).__name__) from None


def read(path: Path, name: str) -> bytes:
    """The content of one file of an archive. Raises DamagedError."""
    with _open_archive(path) as archive:
        return archive.read(name)


def read_json(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in one file of an archive. Raises DamagedError."""
    with _open_archive(path) as archive:
        content = json.loads(archive.read(name))
    if not isinstance(content, dict):
        raise DamagedError(f"{name} is not a JSON object")
    return content


def refuse_damaged(path: Path) -> None:
    """Verify the checksum of every file of an archive. Raises DamagedError."""
    with _open_archive(path) as archive:
        broken = archive.testzip()
    if broken:
        raise DamagedError(f"wrong checksum of {broken}")


def refuse_unusable(path: Path, version: str) -> None:
    """Verify an archive's checksums, model name and version. Raises DamagedError, which names the archive."""
    try:
        refuse_damaged(path)
        model = read_json(path, MANIFEST).get("model")
    except DamagedError as error:
        raise DamagedError(f"{path} is damaged: {error}") from None
    found = f"{model.get('modelName')} {model.get('modelVersion')}" if isinstance(model, dict) else "no model"
    if found != f"{MODEL} {version}":
        raise DamagedError(f"{path} contains {found}, not {MODEL} {version}")
