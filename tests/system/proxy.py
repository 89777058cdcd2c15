"""A proxy that records requests and never answers. Requests of the system to itself must not reach it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

NAMES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass
class Proxy:
    """The address, and the first bytes of each connection."""

    address: str
    requests: list[bytes] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that name a proxy to programs, without exceptions for any host."""
        variables = dict.fromkeys((*NAMES, *(name.upper() for name in NAMES)), self.address)
        return variables | {"no_proxy": "", "NO_PROXY": ""}


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A proxy on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Proxy(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread = threading.Thread(target=_record, args=(server, found.requests))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown(socket.SHUT_RDWR)  # ends accept()
            thread.join()


def _record(server: socket.socket, requests: list[bytes]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            try:
                requests.append(connection.recv(1000))
            except OSError:
                requests.append(b"")
