"""Limits on the messages of a browser over the page's WebSocket.

Streamlit accepts every kind of message from every visitor, at any rate. `clear_cache` empties the caches of all
visitors, for example the login throttle. A hundred reruns of 2 bytes each kept the page busy for 7 s.
"""

import asyncio
import logging

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from ui.rate_limit import RateLimit, network

# A download of History is a backend operation.
ACCEPTED = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request")
MOST_FILE_NAMES = 10
# A stroke or a click is one message. The page answers about 12 a second.
BURST, INTERVAL_S = 20, 0.2
BURST_OF_ADDRESS, INTERVAL_OF_ADDRESS_S = 200, 0.02
POLL_INTERVAL_S = 0.05

log = logging.getLogger("ui.messages")


class LimitMessages:
    """ASGI middleware: drops messages that this page does not use, and limits the rate of the others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._addresses = RateLimit(BURST_OF_ADDRESS, INTERVAL_OF_ADDRESS_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            receive = self._limit(scope, receive)
        await self._app(scope, receive, send)

    def _limit(self, scope: Scope, receive: Receive) -> Receive:
        # The gateway replaces a client's header.
        forwarded_for = dict(scope["headers"]).get(b"x-forwarded-for", b"").decode("latin-1")
        address, socket_limit = network(forwarded_for), RateLimit(BURST, INTERVAL_S)

        async def receive_limited() -> Message:
            while True:
                message = await receive()
                data = message.get("bytes")
                if data is None or (kind := _kind(data)) == "app_heartbeat":
                    return message
                if kind is None:
                    log.warning("a message that this page does not use was dropped")
                    continue
                # Further messages wait in the client's socket.
                for limit in (socket_limit, self._addresses):
                    while not limit.take(address):
                        await asyncio.sleep(POLL_INTERVAL_S)
                return message

        return receive_limited


def _kind(data: bytes) -> str | None:
    """The kind of a message, None if it is not accepted. Streamlit refuses invalid messages itself."""
    try:
        message = BackMsg.FromString(data)
    except DecodeError:
        return "rerun_script"
    kind = message.WhichOneof("type")
    return kind if kind in ACCEPTED and len(message.file_urls_request.file_names) <= MOST_FILE_NAMES else None
