"""Who is an operator: whoever knows the password; where none is set, whoever sits at this machine."""

import hmac
import ipaddress
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from ui.rate_limit import RateLimit

# From one address so many tries at once, then one every so often. Other addresses are not held up by them, and whoever
# is signed in stays so.
TRIES = 5
NEXT_TRY_S = 10.0


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
        self._tries = RateLimit(TRIES, NEXT_TRY_S, clock)

    @property
    def needs_password(self) -> bool:
        return bool(self._password)

    def opens(self, password: str, address: str) -> bool | None:
        """Whether the password is right; None when it was not looked at, because this address tries too often."""
        if not self.needs_password or not self._tries.take(address):
            return None if self.needs_password else False
        return hmac.compare_digest(password.encode(), self._password)
