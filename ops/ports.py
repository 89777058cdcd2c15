"""Which ports of this machine are free to listen on."""

import socket

from ops.errors import OpsError

# What one system takes: its public port, and of the eleven above it those in ops/system.py.
PORTS_PER_SYSTEM = 12
LAST_PORT = 65_535


def free_ports(first: int, count: int = PORTS_PER_SYSTEM) -> int:
    """The lowest of `count` ports in a row that are free on loopback, at `first` or above. Raises OpsError."""
    for lowest in range(first, LAST_PORT - count + 2, count):
        if all(bind_error("127.0.0.1", port) is None for port in range(lowest, lowest + count)):
            return lowest
    raise OpsError(f"No {count} consecutive ports are free at {first} or above; choose a lower GATEWAY_PORT.")


def listening_hosts(host: str) -> list[str]:
    """The addresses that the public listener binds to for this GATEWAY_HOST.

    Where this machine has IPv6, 127.0.0.1 and 0.0.0.0 bring their IPv6 counterpart along: some clients look up
    `localhost` and try only the first address, which is ::1.
    """
    counterpart = {"127.0.0.1": "::1", "0.0.0.0": "::"}.get(host)  # noqa: S104
    return [host, counterpart] if counterpart and bind_error("::1", 0) is None else [host]


def bind_error(host: str, port: int) -> str | None:
    """The system's reason why nothing can listen there; None when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            # As every server here does: a port whose last connections are still being forgotten is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # :: beside 0.0.0.0, as in nginx
            probe.bind((host, port))
    except OSError as error:
        return error.strerror
    return None
