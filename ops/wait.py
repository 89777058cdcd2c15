"""Wait for a condition with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(ask: Callable[[], T], timeout_s: float, interval_s: float = 0.1) -> T:
    """Call `ask` until its result is true, at most for the time, and return the last result."""
    deadline = time.monotonic() + timeout_s
    while not (result := ask()) and time.monotonic() < deadline:
        time.sleep(interval_s)
    return result
