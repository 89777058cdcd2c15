"""Resumable download of a file."""

import urllib.request
from pathlib import Path

from tqdm import tqdm

TIMEOUT_S = 5  # to connect and for each read
BLOCK_BYTES = 1 << 16


def download(url: str, partial: Path) -> None:
    """Download `url` to `partial`, resuming an interrupted download. Raises OSError."""
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        resumed = response.status == 206
        done = done if resumed else 0
        total = done + int(response.headers.get("Content-Length", 0))
        with (
            partial.open("ab" if resumed else "wb") as file,
            tqdm(
                desc=partial.name, initial=done, total=total, unit="B", unit_scale=True, disable=None
            ) as progress,
        ):
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                progress.update(len(block))
    if partial.stat().st_size < total:
        raise OSError(f"ended after {partial.stat().st_size} of {total} bytes")
