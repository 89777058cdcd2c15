"""A rate limit for each client address."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_ADDRESSES = 10_000


class RateLimit:
    """A token bucket for each address: `burst` tokens, one refilled every `interval_s`. Threads may share it."""

    def __init__(self, burst: int, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._interval_s = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        # For each address, the time at which its bucket is full again.
        self._full_again: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str, tokens: int = 1) -> bool:
        """Take tokens from an address; False, without taking any, if it has too few."""
        now = self._clock()
        with self._lock:
            full_again = max(self._full_again.pop(address, now), now)
            allowed = full_again - now <= (self._burst - tokens) * self._interval_s
            self._full_again[address] = full_again + tokens * self._interval_s if allowed else full_again
            if len(self._full_again) > MOST_ADDRESSES:
                self._full_again.popitem(last=False)
        return allowed


def network(address: str) -> str:
    """The key of an address for a limit: an IPv4 address, or the /64 network of an IPv6 address, as of a household."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
