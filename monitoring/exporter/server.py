"""The metrics over HTTP. Only the path /metrics answers."""

import threading
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Log no scrapes."""


def serve(host: str, port: int, registry: CollectorRegistry) -> None:
    """Serve a registry's metrics from a daemon thread. Raises OSError."""
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"The metrics are at /metrics.\n"]

    server = make_server(host, port, answer, ThreadingWSGIServer, _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
