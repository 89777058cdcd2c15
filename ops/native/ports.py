"""Test which addresses and ports of this machine are free."""

import socket

# The public port, and the eleven above it, of which ops/system.py assigns some.
PORTS_PER_SYSTEM = 12
LAST_PORT = 65_535


def listening_hosts(host: str) -> list[str]:
    """The addresses that the public listener binds to for this GATEWAY_HOST.

    On a machine with IPv6 they include the IPv6 counterpart of 127.0.0.1 and 0.0.0.0: some clients resolve
    `localhost` and try only the first address, ::1.
    """
    counterpart = {"127.0.0.1": "::1", "0.0.0.0": "::"}.get(host)  # noqa: S104
    return [host, counterpart] if counterpart and bind_error("::1", 0) is None else [host]


def bind_error(host: str, port: int) -> str | None:
    """The operating system's error for a bind to this address; None if it succeeds."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # As every server here does: a port with connections in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # :: beside 0.0.0.0, as in nginx
            probe.bind((host, port))
    except OSError as error:
        return error.strerror
    return None
