"""The page's server: a private socket, and no external request."""

import asyncio
import http.client
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from fixtures.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
# Duration of each external request, as behind a firewall that drops packets.
HANGS_S = 5.0
# Python imports this at its start. Name lookups, connections and datagrams raise these audit events.
WATCH = f"""
import sys, time

def watch(event, arguments):
    if event == "socket.getaddrinfo":
        outside = arguments[0] not in (None, "localhost", "127.0.0.1", "::1")
    elif event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        outside = isinstance(address, tuple) and address[0] not in ("localhost", "127.0.0.1", "::1")
    else:
        outside = event in ("socket.gethostbyname", "socket.gethostbyaddr")
    if outside:
        with open({{path!r}}, "a") as file:
            file.write(f"{{{{event}}}} {{{{arguments[1:] or arguments}}}}\\n")
        time.sleep({HANGS_S})

sys.addaudithook(watch)
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory) -> Path:
    """The file of the server's external requests, one line each."""
    return tmp_path_factory.mktemp("calls") / "outside"


@pytest.fixture(scope="module")
def server(tmp_path_factory, calls: Path) -> Iterator[Path]:
    """The socket of a running page whose external requests are recorded."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "sitecustomize.py").write_text(WATCH.format(path=str(calls)))
    path = folder / "page.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))  # leaves its file
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}:{ROOT}",
        "OUTBOX_PATH": str(folder / "outbox.sqlite3"),
        "DATABASE_URL": "postgresql://page@127.0.0.1:9/mnist",
        "DATABASE_PASSWORD": "x",
        "MODEL_URL": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-m", "ui.server", str(path)]
    with (
        (folder / "page.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            eventually(lambda: process.poll() is not None or _is_healthy(path))
            assert process.poll() is None, (folder / "page.log").read_text()
            yield path
        finally:
            process.terminate()
            process.wait(timeout=60)


def _is_healthy(path: Path) -> bool:
    connection = http.client.HTTPConnection("localhost", timeout=HANGS_S)
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(HANGS_S)
        connection.sock.connect(str(path))
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@pytest.mark.service
def test_only_the_owner_can_open_the_socket(server: Path):
    assert stat.S_IMODE(server.stat().st_mode) == 0o600


@pytest.mark.service
def test_the_page_loads_with_any_origin_and_without_an_external_request(server: Path, calls: Path):
    origins = [None, "http://evil.test", "https://192.0.2.7:8443"]
    asyncio.run(asyncio.wait_for(_visit_all(server, origins), timeout=60))
    assert not calls.exists(), calls.read_text()


@pytest.mark.service
def test_eight_foreign_handshakes_do_not_block_the_page(server: Path, calls: Path):
    asyncio.run(asyncio.wait_for(_shake_hands(server, 8), timeout=60))
    assert not calls.exists(), calls.read_text()


@pytest.mark.service
def test_many_messages_of_one_visitor_do_not_block_the_page(server: Path):
    """Without a limit, 100 such messages blocked the page for 7 s."""
    asyncio.run(asyncio.wait_for(_send_many(server, 2000), timeout=60))


async def _send_many(path: Path, count: int) -> None:
    rerun = BackMsg()
    rerun.rerun_script.query_string = ""
    async with websockets.unix_connect(
        str(path), "ws://localhost/_stcore/stream", subprotocols=["streamlit"], max_size=None
    ) as page:
        reading = asyncio.ensure_future(_read_all(page))
        sending = asyncio.ensure_future(_send_all(page, [rerun.SerializeToString()] * count))
        await asyncio.sleep(1)
        for _ in range(5):
            assert await asyncio.to_thread(_is_healthy, path)
        sending.cancel()
        reading.cancel()


async def _read_all(page: websockets.ClientConnection) -> None:
    async for _ in page:
        pass


async def _send_all(page: websockets.ClientConnection, messages: list[bytes]) -> None:
    for message in messages:
        await page.send(message)


async def _visit_all(path: Path, origins: list[str | None]) -> None:
    await asyncio.gather(*(_visit(path, origin) for origin in origins))


async def _visit(path: Path, origin: str | None) -> None:
    """Open the page as a browser does and wait for the end of the run."""
    async with websockets.unix_connect(
        str(path), "ws://localhost/_stcore/stream", origin=origin, subprotocols=["streamlit"], max_size=None
    ) as page:
        ask = BackMsg()
        ask.rerun_script.query_string = ""
        await page.send(ask.SerializeToString())
        async for message in page:
            if ForwardMsg.FromString(message).WhichOneof("type") == "script_finished":
                return
    raise AssertionError("the page closed its WebSocket")


async def _shake_hands(path: Path, count: int) -> None:
    hands = [asyncio.ensure_future(_visit(path, f"http://evil-{index}.test")) for index in range(count)]
    await asyncio.sleep(0.1)
    assert await asyncio.to_thread(_is_healthy, path)
    await asyncio.gather(*hands)
