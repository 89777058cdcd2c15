"""Operators: whoever knows the password; without a password, whoever sits at this machine."""

import hmac
import ipaddress
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from ui.rate_limit import RateLimit

# For each address: five attempts, then one every 10 s. A signed-in operator stays signed in.
ATTEMPTS = 5
NEXT_ATTEMPT_S = 10.0


def is_local(forwarded_for: list[str], host: str) -> bool:
    """Whether a request comes from this machine, by the gateway's X-Forwarded-For and the request's Host.

    The gateway replaces the header of a client by the address that it sees. Without this header no request is local.
    The host must be a loopback name, too: behind another proxy on this machine every visitor has a loopback address,
    and so has a visitor of a foreign site whose name resolves to 127.0.0.1.
    """
    return len(forwarded_for) == 1 and _is_loopback(forwarded_for[0]) and _is_loopback_name(host)


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


class LoginThrottle:
    """Checks passwords and limits the attempts of each address. All visitors and threads share it."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._password = password.encode()
        self._attempts = RateLimit(ATTEMPTS, NEXT_ATTEMPT_S, clock)

    @property
    def needs_password(self) -> bool:
        return bool(self._password)

    def check(self, password: str, address: str) -> bool | None:
        """Whether the password is right; None if it was not compared, because of too many attempts."""
        if not self.needs_password:
            return False
        if not self._attempts.take(address):
            return None
        return hmac.compare_digest(password.encode(), self._password)
