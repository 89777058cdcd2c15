"""Wait for a condition with a deadline."""

import time
from collections.abc import Callable


def wait_until(is_true: Callable[[], object], timeout_s: float, interval_s: float = 0.1) -> bool:
    """Ask until a condition is true; return False if it is not within the time."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_s)
    return True
