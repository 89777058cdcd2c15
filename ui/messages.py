"""Limits on what a browser may send over the page's WebSocket.

Streamlit takes every kind of message from every visitor, at any rate. `clear_cache` empties the caches of all visitors,
the limits on passwords among them; a hundred reruns of 2 bytes each, sent at once, kept the page busy for 7 s.
"""

import asyncio
import logging
from collections.abc import Mapping

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from ui.rate_limit import RateLimit, network

# History's files are made on request: a backend operation.
ACCEPTED = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request")
MOST_FILE_NAMES = 10
# A stroke and a click are a message each, and the page answers about 12 a second.
BURST, INTERVAL_S = 20, 0.2
BURST_OF_ADDRESS, INTERVAL_OF_ADDRESS_S = 200, 0.02
POLL_INTERVAL_S = 0.05

log = logging.getLogger("ui.messages")


class LimitMessages:
    """Drops messages that no browser of this page sends, and reads those that ask for a run no faster than this."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._addresses = RateLimit(BURST_OF_ADDRESS, INTERVAL_OF_ADDRESS_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(
            scope, self._limited(scope, receive) if scope["type"] == "websocket" else receive, send
        )

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        address, of_socket = _address(dict(scope["headers"])), RateLimit(BURST, INTERVAL_S)

        async def receive_limited() -> Message:
            while True:
                message = await receive()
                data = message.get("bytes")
                if data is None or (kind := _kind(data)) == "app_heartbeat":
                    return message
                if kind is None:
                    log.warning("a message that this page does not use was dropped")
                    continue
                # What is not read waits in the client's socket.
                for limit in (of_socket, self._addresses):
                    while not limit.take(address):
                        await asyncio.sleep(POLL_INTERVAL_S)
                return message

        return receive_limited


def _kind(data: bytes) -> str | None:
    """The accepted kind of a message, None for any other; what is no message is Streamlit's to refuse."""
    try:
        message = BackMsg.FromString(data)
    except DecodeError:
        return "rerun_script"
    kind = message.WhichOneof("type")
    return kind if kind in ACCEPTED and len(message.file_urls_request.file_names) <= MOST_FILE_NAMES else None


def _address(headers: Mapping[bytes, bytes]) -> str:
    """Of the client, as the gateway names it."""
    return network(headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip())
