"""The metrics over HTTP, at /metrics and nowhere else."""

import threading
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line for each scrape would say nothing."""


def serve(host: str, port: int, registry: CollectorRegistry) -> None:
    """Serve a registry's metrics from a thread, as long as the process lives. Raises OSError."""
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"The metrics are at /metrics.\n"]

    server = make_server(host, port, answer, _Server, _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
