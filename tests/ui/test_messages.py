"""The messages of a browser that reach the page, and their rate."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from ui import messages

Event = dict[str, Any]


def rerun() -> bytes:
    message = BackMsg()
    message.rerun_script.query_string = ""
    return message.SerializeToString()


def read(
    sent: Iterable[bytes], limits: messages.LimitMessages | None = None, address: str = "192.0.2.1"
) -> list[bytes]:
    """The messages that reach the page within 0.15 s."""
    waiting = [{"type": "websocket.receive", "bytes": data} for data in sent]
    reached: list[bytes] = []

    async def receive() -> Event:
        return waiting.pop(0) if waiting else {"type": "websocket.disconnect"}

    async def application(_scope: Any, receive: Callable[[], Awaitable[Event]], _send: Any) -> None:
        while (event := await receive())["type"] == "websocket.receive":
            reached.append(event["bytes"])

    async def send(_event: Event) -> None:
        raise AssertionError

    async def visit() -> None:
        limited = limits or messages.LimitMessages(application)
        limited._app = application
        scope = {"type": "websocket", "headers": [(b"x-forwarded-for", address.encode())]}
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(limited(scope, receive, send), timeout=0.15)

    asyncio.run(visit())
    return reached


@pytest.mark.parametrize(
    "dropped",
    [
        BackMsg(clear_cache=True),
        BackMsg(set_run_on_save=True),
        BackMsg(load_git_info=True),
        BackMsg(debug_shutdown_runtime=True),
        BackMsg(file_urls_request={"file_names": ["7.png"] * 11}),
        BackMsg(),
    ],
    ids=lambda message: message.WhichOneof("type"),
)
def test_a_message_that_this_page_does_not_use_is_dropped(dropped: BackMsg):
    assert read([dropped.SerializeToString(), rerun()]) == [rerun()]


def test_accepted_messages_reach_the_page():
    used = [
        rerun(),
        BackMsg(stop_script=True).SerializeToString(),
        BackMsg(file_urls_request={"file_names": ["7.png"]}).SerializeToString(),
        BackMsg(app_heartbeat=True).SerializeToString(),
        BackMsg(backend_operation_request={"request_id": "1"}).SerializeToString(),
        b"no message",  # Streamlit closes the connection for it
    ]
    assert read(used) == used


def test_reruns_of_one_socket_are_limited_and_heartbeats_are_not():
    heartbeat = BackMsg(app_heartbeat=True).SerializeToString()
    assert len(read([heartbeat] * 500)) == 500
    assert messages.BURST <= len(read([rerun()] * 500)) < 2 * messages.BURST


def test_sockets_of_one_address_share_a_limit(monkeypatch):
    monkeypatch.setattr(messages, "INTERVAL_OF_ADDRESS_S", 60)
    limits = messages.LimitMessages(lambda *_: None)  # type: ignore[arg-type, return-value]
    sockets = messages.BURST_OF_ADDRESS // messages.BURST
    for _ in range(sockets):
        read([rerun()] * messages.BURST, limits)
    assert read([rerun()] * 500, limits) == []
    assert len(read([rerun()] * 500, limits, address="192.0.2.2")) >= messages.BURST
