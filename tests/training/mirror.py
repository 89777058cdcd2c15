"""A local HTTP server with range requests that records its requests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from fixtures.http_server import Handler, serving


class Mirror(ThreadingHTTPServer):
    """Serves `files` by path; responds only while `responds` is set."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.requests: list[tuple[str, str | None]] = []
        self.responds = threading.Event()
        self.responds.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


@contextmanager
def serve_files(files: dict[str, bytes]) -> Iterator[Mirror]:
    with serving(Mirror(files)) as server:
        try:
            yield server
        finally:
            server.responds.set()


class _Handler(Handler):
    server: Mirror

    def do_GET(self) -> None:
        name, byte_range = self.path.removeprefix("/"), self.headers.get("Range")
        self.server.requests.append((name, byte_range))
        self.server.responds.wait()
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        first = int(byte_range.removeprefix("bytes=").removesuffix("-")) if byte_range else 0
        self.answer(206 if byte_range else 200, content[first:])
