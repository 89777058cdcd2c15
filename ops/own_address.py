"""This machine's address among those of a host name, which the replicas of a service share."""

import contextlib
import socket


def own_address(host: str) -> str | None:
    """The IPv4 address; None if the name does not resolve or only to other machines."""
    with contextlib.suppress(OSError):
        for address in socket.gethostbyname_ex(host)[2]:
            with contextlib.suppress(OSError), socket.create_server((address, 0)):
                return address
    return None
