"""Health of gateway, page and TorchServe. outbox.py has the deliverer's, database.py the database's."""

import contextlib
import http.client
import re
import socket
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from prometheus_client.core import Metric

from monitoring.exporter.subjects import gauge, labelled_gauge

TIMEOUT_S = 3.0
NO_ANSWER = 0
SESSIONS = re.compile(rb"^active_sessions (\S+)$", re.MULTILINE)
PART_UP = ("mnist_part_up", "1 if the part answers, else 0.", "part")


def metrics(gateway: str, page: str) -> Iterator[Metric]:
    """The health of the parts, and the open pages. `gateway`: URL of the inner listener; `page`: URL or unix:PATH."""
    ping, _ = get(gateway, "/ping")  # the model reads a known digit
    page_status, page_metrics = get(page, "/_stcore/metrics")
    up = {"gateway": ping != NO_ANSWER, "page": page_status == HTTPStatus.OK}
    if up["gateway"]:  # without the gateway, the state of the model is unknown
        up["torchserve"] = ping == HTTPStatus.OK
    yield labelled_gauge(*PART_UP, {part: float(answers) for part, answers in up.items()})
    if sessions := SESSIONS.search(page_metrics):
        yield gauge("mnist_page_sessions", "Open pages.", float(sessions[1]))


def get(server: str, path: str) -> tuple[int, bytes]:
    """Status and body of a response; NO_ANSWER without one. `server` is a URL or unix:PATH."""
    connection = (
        _SocketConnection(server.removeprefix("unix:"))
        if server.startswith("unix:")
        else http.client.HTTPConnection(urlsplit(server).netloc, timeout=TIMEOUT_S)
    )
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    return NO_ANSWER, b""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
