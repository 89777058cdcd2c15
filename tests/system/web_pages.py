"""Web pages of another site, and requests by their scripts in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from playwright.sync_api import Page

from fixtures.http_server import Handler, serving
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


class _Site(Handler):
    def do_GET(self) -> None:
        if self.path == "/7.png":
            self.answer(200, SEVEN.read_bytes(), "image/png")
        else:
            self.answer(200, HTML, "text/html")


@contextmanager
def another_site() -> Iterator[str]:
    """The origin of a site on another port of this machine: an empty page, and a picture of a 7 at /7.png."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    with serving(server):
        yield f"http://localhost:{server.server_port}"


def fetch(page: Page, url: str, **options: object) -> str:
    """The result of a request by a script of the page: "read ...", "opaque" or "failed"."""
    return page.evaluate(FETCH, [url, options])


def websocket(page: Page, url: str) -> str:
    """The result of a script of the page that opens a WebSocket: "open" or "failed"."""
    return page.evaluate(WEBSOCKET, url)
