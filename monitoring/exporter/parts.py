"""Which parts answer. The deliverer is judged by the outbox (outbox.py), the database by a query (database.py)."""

import contextlib
import http.client
import re
import socket
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from prometheus_client.core import Metric

from monitoring.exporter.subjects import gauge, labelled

TIMEOUT_S = 3.0
NO_ANSWER = 0
SESSIONS = re.compile(rb"^active_sessions (\S+)$", re.MULTILINE)
PART_UP = ("mnist_part_up", "Whether a part answers.", "part")


def metrics(gateway: str, page: str) -> Iterator[Metric]:
    """`gateway` is the URL of the inner listener, `page` a URL or unix:PATH."""
    ping, _ = get(gateway, "/ping")  # the model reads a known digit
    page_status, page_metrics = get(page, "/_stcore/metrics")
    up = {"gateway": ping != NO_ANSWER, "page": page_status == HTTPStatus.OK}
    if up["gateway"]:  # else nobody knows of the model
        up["torchserve"] = ping == HTTPStatus.OK
    yield labelled(*PART_UP, {part: float(answers) for part, answers in up.items()})
    if found := SESSIONS.search(page_metrics):
        yield gauge("mnist_page_sessions", "Open pages.", float(found[1]))


def get(server: str, path: str) -> tuple[int, bytes]:
    """Status and body of an answer; NO_ANSWER if there is none."""
    connection = _connection(server)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    return NO_ANSWER, b""


def _connection(server: str) -> http.client.HTTPConnection:
    if server.startswith("unix:"):
        return _SocketConnection(server.removeprefix("unix:"))
    return http.client.HTTPConnection(urlsplit(server).netloc, timeout=TIMEOUT_S)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
