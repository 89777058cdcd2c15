"""File locks, which the kernel releases when the process ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.errors import OpsError
from ops.wait import wait_until

POLL_INTERVAL_S = 0.05


@contextmanager
def hold(path: Path, refusal: str, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the lock of this file. Raises OpsError(refusal) if it is not free within `patience_s`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        if not wait_until(lambda: _try_lock(lock.fileno()), patience_s, POLL_INTERVAL_S):
            raise OpsError(refusal)
        yield


def is_held(path: Path) -> bool:
    """Whether any process, this one included, holds the lock of this file."""
    if not path.exists():
        return False
    with path.open("a") as lock:
        return not _try_lock(lock.fileno())


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
