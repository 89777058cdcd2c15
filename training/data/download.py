"""Verified and resumable download of a file."""

import gzip
import hashlib
import urllib.request
import zlib
from pathlib import Path

from tqdm import tqdm

TIMEOUT_S = 5  # to connect and for each read
BLOCK_BYTES = 1 << 16
ALGORITHMS = {32: "md5", 64: "sha256"}  # by digits of a checksum


class DataError(Exception):
    """Files are missing or cannot be fetched; the message names them and their folder."""


def is_verified(path: Path, checksum: str) -> bool:
    """Whether the file exists and has this MD5 or SHA-256."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        algorithm = ALGORITHMS[len(checksum)]
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return digest.hexdigest() == checksum


def fetch_file(url: str, folder: Path, name: str, checksum: str) -> bool:
    """Download `url` to the file `name`, unpacked if it ends with .gz; return whether the server sent all of it.

    Resumes an interrupted download. Prints why a file was not downloaded, or that it has the wrong checksum.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = url.endswith(".gz")
    partial = path.with_name(f"{path.name}{'.gz' * packed}.partial")
    try:
        _download(url, partial)
    except OSError as error:
        print(f"  {name} was not downloaded: {error}")
        return False
    content = partial.read_bytes()
    partial.unlink()
    try:
        path.write_bytes(gzip.decompress(content) if packed else content)
    except (OSError, EOFError, zlib.error):
        path.unlink(missing_ok=True)
    if not is_verified(path, checksum):
        path.unlink(missing_ok=True)
        print(f"  {name} has the wrong checksum")
    return True


def _download(url: str, partial: Path) -> None:
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        resumed = response.status == 206
        done = done if resumed else 0
        total = done + int(response.headers.get("Content-Length", 0))
        bar = tqdm(desc=partial.name, initial=done, total=total, unit="B", unit_scale=True, disable=None)
        with partial.open("ab" if resumed else "wb") as file, bar as progress:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                progress.update(len(block))
    if partial.stat().st_size < total:
        raise OSError(f"ended after {partial.stat().st_size} of {total} bytes")
