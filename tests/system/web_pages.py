"""Web pages of another site, and requests by their scripts in a real browser."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Page

from tests.system.running import ROOT

HTML = b"<!doctype html><meta charset=utf-8><title>Another site</title><p>Another site.</p>"
SEVEN = ROOT / "training" / "known_digits" / "7.png"
# The result of a script's request: the text, "opaque" if the script may not read it, or "failed".
FETCH = """
async ([url, options]) => {
  try {
    const response = await fetch(url, {...options, signal: AbortSignal.timeout(15000)});
    return response.type === "opaque" ? "opaque" : `read ${response.status}: ${await response.text()}`;
  } catch (error) {
    return "failed";
  }
}
"""
# "open" when a WebSocket of a script opens, else "failed".
WEBSOCKET = """
async (url) => await new Promise((resolve) => {
  const socket = new WebSocket(url, ["streamlit"]);
  socket.onopen = () => resolve("open");
  socket.onerror = socket.onclose = () => resolve("failed");
  setTimeout(() => resolve("failed"), 15000);
})
"""


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = SEVEN.read_bytes() if self.path == "/7.png" else HTML
        self.send_response(200)
        self.send_header("Content-Type", "image/png" if self.path == "/7.png" else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def another_site() -> Iterator[str]:
    """The origin of a site on another port of this machine: an empty page, and a picture of a 7 at /7.png."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(page: Page, url: str, **options: object) -> str:
    """The result of a request by a script of the page: "read ...", "opaque" or "failed"."""
    return page.evaluate(FETCH, [url, options])


def websocket(page: Page, url: str) -> str:
    """The result of a script of the page that opens a WebSocket: "open" or "failed"."""
    return page.evaluate(WEBSOCKET, url)
