"""A webhook that stores Alertmanager's messages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fixtures.http_server import serving


class Webhook:
    """`alerts` has the received alerts in their order."""

    def __init__(self) -> None:
        self.alerts: list[dict] = []

    def has(self, status: str, **labels: str) -> dict | None:
        """The first alert of this status ("firing", "resolved") that has these labels."""
        return next(
            (a for a in list(self.alerts) if a["status"] == status and labels.items() <= a["labels"].items()),
            None,
        )


@contextmanager
def serve_webhook(webhook: Webhook) -> Iterator[str]:
    """Serve a webhook; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.alerts += json.loads(body)["alerts"]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/"
