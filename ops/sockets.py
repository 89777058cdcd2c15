"""HTTP on a Unix socket, which `requests` cannot open.

connection = SocketConnection(system.page_socket, timeout_s=3)
connection.request("GET", "/_stcore/health")
"""

import http.client
import os
import socket


class SocketConnection(http.client.HTTPConnection):
    """HTTP over the Unix socket at a path."""

    def __init__(self, path: str | os.PathLike[str], timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = os.fspath(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
