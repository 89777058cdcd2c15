"""Find this machine's address among the addresses of a name that several replicas share."""

import contextlib
import socket


def own_address(host: str) -> str | None:
    """The IPv4 address; None if the name does not resolve or only to other machines."""
    with contextlib.suppress(OSError):
        for address in socket.gethostbyname_ex(host)[2]:
            with contextlib.suppress(OSError), socket.create_server((address, 0)):
                return address
    return None
