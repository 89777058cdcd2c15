"""A webhook that stores Alertmanager's messages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from fixtures.http_server import Handler, serving


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

    class Receiver(Handler):
        def do_POST(self) -> None:
            webhook.alerts += json.loads(self.read_body())["alerts"]
            self.answer(200)

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Receiver)) as server:
        yield f"http://127.0.0.1:{server.server_port}/"
