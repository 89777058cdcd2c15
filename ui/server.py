"""The page's server: Streamlit as an ASGI application behind uvicorn.

python -m ui.server /tmp/mnist-0-1a2b3c4d/page.sock     Unix socket that only its owner can open
python -m ui.server page-inner:8005                     TCP address

`streamlit run` supports TCP only. Natively, any web page in a browser on this machine could reach a TCP port, without
the gateway.
"""

import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import streamlit.logger
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from json_logs import log_as_json
from ui.index_page import routes
from ui.messages import LimitMessages
from ui.tracing import tracer

SCRIPT = Path(__file__).with_name("app.py")
# Streamlit's own values. A connection without an answer to a ping for so long is closed.
PING_S = 30.0


class WithoutOrigin:
    """ASGI middleware: removes the header `Origin`, which the gateway has checked.

    To check an origin that differs from the Host, Streamlit looks up its external address at a web service. This takes
    up to 2 s in its event loop. Streamlit also accepts `localhost` with any port.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"origin"]}
        await self._app(scope, receive, send)


def _leave_to_root(logger: logging.Logger) -> None:
    """Replace the handlers that Streamlit adds to each of its loggers."""
    logger.handlers.clear()
    logger.propagate = True


def main() -> None:
    log_as_json("page")
    tracer("page")
    streamlit.logger.setup_formatter = _leave_to_root
    streamlit.logger.update_formatter()
    application = WithoutOrigin(LimitMessages(streamlit.App(SCRIPT, routes=routes())))
    # get_option configures Streamlit's logs. After uvicorn's configuration it would log every request.
    largest_message = streamlit.get_option("server.maxWidgetStateSize") * 2**20
    address = sys.argv[1]
    if address.startswith("/"):
        listener = _listen(Path(address))
        options: dict[str, Any] = {"fd": listener.fileno()}
    else:
        host, _, port = address.rpartition(":")
        options = {"host": host, "port": int(port)}
    uvicorn.run(
        application,
        **options,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=largest_message,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # a drawing is compressed
    )


def _listen(path: Path) -> socket.socket:
    """A Unix socket of mode 0600, in place of one that a killed server left."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


if __name__ == "__main__":
    main()
