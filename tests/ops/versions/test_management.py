"""The client of TorchServe's management API, over a Unix socket and over TCP."""

import http.server
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ops.versions.management import AwayError, Management, ManagementError, RefusedError


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request with the server's prepared answer; without one, it holds the request."""

    def do_GET(self):
        self.server.requests.append(f"{self.command} {self.path}")
        if self.server.answer is None:
            self.server.released.wait(10)
            return
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def address_string(self):  # a socket has none
        return "somebody"

    def log_message(self, *_):
        pass


class _SocketServer(socketserver.ThreadingUnixStreamServer):
    pass


@contextmanager
def _serving(
    server: socketserver.BaseServer, address: str
) -> Iterator[tuple[socketserver.BaseServer, Management]]:
    server.requests, server.answer, server.released = [], (200, b"{}"), threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server, Management(address)
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(params=["socket", "tcp"])
def api(request, system):
    """A server of the API and its client."""
    if request.param == "tcp":
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        with _serving(server, f"http://127.0.0.1:{server.server_port}") as both:
            yield both
        return
    path = system.sockets / "api.sock"
    with _serving(_SocketServer(str(path), _Handler), f"unix:{path}") as both:
        yield both
    path.unlink()


def test_each_call_is_one_request(api):
    server, management = api
    management.register("1.1")
    management.set_default("1.1")
    management.scale("1.1", 2)
    management.unregister("1.1")
    assert server.requests == [
        "POST /models?url=mnist-1.1.mar&max_batch_delay=0&synchronous=false",
        "PUT /models/mnist/1.1/set-default",
        "PUT /models/mnist/1.1?min_worker=2&max_worker=2",
        "DELETE /models/mnist/1.1",
    ]


def test_a_missing_version_is_an_error_only_if_needed(api):
    server, management = api
    server.answer = (404, b'{"code": 404, "type": "ModelNotFoundException", "message": "no mnist"}')
    assert management.list_versions() == {}
    assert management.default() is None
    management.unregister("1.1")
    for call in (lambda: management.register("1.1"), lambda: management.scale("1.1", 2)):
        with pytest.raises(RefusedError, match=r"^no mnist$"):
            call()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b'{"message": "no\\n  archive"}'), "no archive"),
        ((507, b"<html>"), "status 507 and no JSON with a message"),
        ((200, b"<html>"), "status 200 and no JSON with a message"),
        ((500, b"[]"), "status 500 and no JSON with a message"),
    ],
)
def test_an_error_is_one_line(api, answer, message):
    server, management = api
    server.answer = answer
    with pytest.raises(RefusedError, match=f"^{message}$"):
        management.list_versions()


def test_a_hanging_torchserve_does_not_raise_away_error(api):
    server, management = api
    server.answer = None
    with pytest.raises(ManagementError, match=r"^no answer to GET /models within 0\.2 s$") as held:
        management.request("GET", "/models", timeout_s=0.2)
    assert not isinstance(held.value, AwayError)


@pytest.mark.parametrize("left", [True, False], ids=["a socket that nobody serves", "no socket"])
def test_an_absent_socket_raises_away_error(system, left):
    path = system.sockets / "api.sock"
    if left:
        _SocketServer(str(path), _Handler).server_close()
    with pytest.raises(AwayError, match="no answer to GET /models/mnist/all: "):
        Management(f"unix:{path}").list_versions()
    path.unlink(missing_ok=True)


def test_a_closed_port_raises_away_error():
    with pytest.raises(AwayError, match="Connection refused"):
        Management("http://127.0.0.1:9").list_versions()
