"""HTTP servers that replace TorchServe and the page in the gateway's tests."""

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from fixtures.http_server import Handler, serving

# Longer than every timeout of the gateway.
LONGEST_S = 60


class Server(ThreadingHTTPServer):
    """A server on loopback, by default on a free port, that counts its connections."""

    daemon_threads = True
    # Do not wait for a blocked answer at the end of a test.
    block_on_close = False

    def __init__(self, handler: type[Handler], port: int, host: str) -> None:
        super().__init__((host, port), handler)
        self.connections = 0
        self.given_up = 0
        self.requests: list[dict] = []
        self.fault = b""  # of the model: it treats every request as if it had this body
        self.released = threading.Event()

    @property
    def address(self) -> str:
        return f"{self.server_address[0]}:{self.server_port}"

    def get_request(self):
        self.connections += 1
        return super().get_request()


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    # Send head and body together; separately, the body waits 40 ms for the head's acknowledgement.
    wbufsize = -1
    server: Server

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        # Any method; the handlers below decide.
        setattr(self, f"do_{self.command}", self.respond)
        return True

    def received(self) -> dict:
        request = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(self.read_body()).decode(),
        }
        self.server.requests.append(request)
        return request

    def respond(self) -> None:
        raise NotImplementedError


class _Model(_Handler):
    """Echoes requests; answers a body `STATUS 413 ...` with that status, `UNTIL RELEASED` after `released` is set."""

    def respond(self) -> None:
        request = self.received()
        body = self.server.fault or base64.b64decode(request["body"])
        if body.startswith(b"STATUS "):
            status = int(body.split()[1])
            error = {"code": status, "type": "FromTheModel", "message": "What the model says."}
            self.answer_json(status, error)
        elif body == b"UNTIL RELEASED":
            self.server.released.wait(LONGEST_S)
            self.answer_json(200, request)
        elif body == b"UNTIL GIVEN UP":
            self.connection.settimeout(LONGEST_S)
            self.server.given_up += self.connection.recv(1) == b""
            self.close_connection = True
        elif body == b"HANG UP":
            self.close_connection = True
        else:
            self.answer_json(200, request)


class _BrokenModel(_Handler):
    """Answers everything with TorchServe's error for a model without workers."""

    def respond(self) -> None:
        self.received()
        self.answer(503, b'{"code": 503, "type": "ServiceUnavailableException", "message": "no worker"}')


class _FullModel(_Handler):
    """Answers everything with TorchServe's error for a worker without memory."""

    def respond(self) -> None:
        self.received()
        self.answer(507, b'{"code": 507, "type": "InternalServerException", "message": "Out of resources"}')


class _Page(_Handler):
    """Echoes requests as HTML and websocket messages as text."""

    def respond(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._websocket()
            return
        request = self.received()
        if self.path == "/missing":
            self.answer(404, b"the page's own 404", "text/plain")
        else:
            self.answer(200, json.dumps(request).encode(), "text/html")

    def _websocket(self) -> None:
        """RFC 6455's handshake, then every byte back."""
        self.server.requests.append({"headers": {k.lower(): v for k, v in self.headers.items()}})
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        self.send_response(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.connection.settimeout(30)
        while received := self.connection.recv(1024):
            self.connection.sendall(received)
        self.close_connection = True


class _Redirecting(_Handler):
    """Redirects to a folder by its own path, as Debian's Prometheus does."""

    def respond(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"{self.path}/")
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def _serving(handler: type[_Handler], port: int = 0, host: str = "127.0.0.1") -> Iterator[Server]:
    with serving(Server(handler, port, host)) as server:
        try:
            yield server
        finally:
            server.released.set()


def model(port: int = 0, host: str = "127.0.0.1"):
    """A replacement for TorchServe, on a free port or on this one."""
    return _serving(_Model, port, host)


def broken_model():
    """A replacement for TorchServe without workers."""
    return _serving(_BrokenModel)


def full_model():
    """A replacement for TorchServe whose workers have no memory left."""
    return _serving(_FullModel)


def page(port: int = 0, host: str = "127.0.0.1"):
    """A replacement for the page."""
    return _serving(_Page, port, host)


def redirecting():
    """A replacement for Prometheus."""
    return _serving(_Redirecting)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
