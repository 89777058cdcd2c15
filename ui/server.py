"""The page's server: Streamlit as an ASGI application behind uvicorn.

python -m ui.server /tmp/mnist-0-1a2b3c4d/page.sock     on a Unix socket that only its owner can open
python -m ui.server page-inner:8005                     on a TCP address

`streamlit run` opens TCP ports alone. Natively the page must not have one: any web page in a browser on this machine
could open it, past the gateway.
"""

import logging
import os
import socket
import sys
from contextlib import suppress
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
# Streamlit's own values: a browser that says nothing for so long is gone.
PING_S = 30.0


class WithoutOrigin:
    """Removes the header `Origin`, which the gateway has judged already.

    To judge an origin that is not the Host, Streamlit asks a web service for its own address, for up to 2 s and in its
    event loop, and it accepts `localhost` with any port.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"origin"]}
        await self._app(scope, receive, send)


def _leave_to_root(logger: logging.Logger) -> None:
    """In place of the output that Streamlit gives to each of its loggers."""
    logger.handlers.clear()
    logger.propagate = True


def main() -> None:
    log_as_json("page")
    tracer("page")
    streamlit.logger.setup_formatter = _leave_to_root
    streamlit.logger.update_formatter()
    application = WithoutOrigin(LimitMessages(streamlit.App(SCRIPT, routes=routes())))
    # Read here, Streamlit configures its logs before uvicorn does: the other way round it logs every request.
    largest_message = streamlit.get_option("server.maxWidgetStateSize") * 2**20
    place = sys.argv[1]
    if place.startswith("/"):
        listener = _listen(Path(place))
        options: dict[str, Any] = {"fd": listener.fileno()}
    else:
        host, _, port = place.rpartition(":")
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
        ws_per_message_deflate=False,  # a drawing is compressed already
    )


def _listen(path: Path) -> socket.socket:
    """A Unix socket of mode 0600. One that a killed server left there is replaced."""
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


if __name__ == "__main__":
    main()
