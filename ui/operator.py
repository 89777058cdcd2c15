"""Who is an operator: whoever knows the password; where none is set, whoever sits at this machine."""

import hmac
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

# From one address so many tries at once, then one every so often. Other addresses are not held up by them, and whoever
# is signed in stays so.
TRIES = 5
NEXT_TRY_S = 10.0
MOST_ADDRESSES = 10_000


def sits_here(forwarded_for: list[str], host: str) -> bool:
    """Whether a request was made on this machine: `forwarded_for` is what the gateway says of it, `host` its Host.

    The gateway replaces what a client claims by the address that it sees; without its word nobody is here. The name
    that the browser asked for must be this machine's own too: a proxy beside the gateway makes every visitor come from
    loopback, and so does a site elsewhere whose name leads to 127.0.0.1.
    """
    if len(forwarded_for) != 1:
        return False
    return _is_loopback(forwarded_for[0]) and _is_loopback_name(host)


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _is_loopback_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)


class Door:
    """Compares passwords, and slows down whoever guesses. One for all visitors; may be shared between threads."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._password = password.encode()
        self._clock = clock
        self._lock = threading.Lock()
        # For each address when its tries would all be given back: a full bucket is a time that has passed.
        self._full_again: OrderedDict[str, float] = OrderedDict()

    @property
    def needs_password(self) -> bool:
        return bool(self._password)

    def opens(self, password: str, address: str) -> bool | None:
        """Whether the password is right; None when it was not looked at, because this address tries too often."""
        if not self.needs_password or not self._may_try(address):
            return None if self.needs_password else False
        return hmac.compare_digest(password.encode(), self._password)

    def _may_try(self, address: str) -> bool:
        now = self._clock()
        with self._lock:
            full_again = max(self._full_again.pop(address, now), now)
            allowed = full_again - now <= (TRIES - 1) * NEXT_TRY_S
            self._full_again[address] = full_again + NEXT_TRY_S if allowed else full_again
            if len(self._full_again) > MOST_ADDRESSES:
                self._full_again.popitem(last=False)
        return allowed


def network(address: str) -> str:
    """What counts as one address: of IPv6 the 64 bits that a household has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
