"""Simulate many concurrent visitors: each is a WebSocket that loads the page and stays open.

    python visitors.py ADDRESS COUNT

prints a line when all of them have the page, and keeps them open until the end of its standard input. Runs in the
page's environment, because it needs Streamlit's message classes.
"""

import asyncio
import sys

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

AT_ONCE = 20


async def visit(address: str, may_load: asyncio.Semaphore, loaded: asyncio.Queue[None]) -> None:
    url = address.replace("http://", "ws://") + "/_stcore/stream"
    async with websockets.connect(url, origin=address, subprotocols=["streamlit"], max_size=None) as page:
        async with may_load:
            ask = BackMsg()
            ask.rerun_script.query_string = ""
            await page.send(ask.SerializeToString())
            async for message in page:
                answer = ForwardMsg.FromString(message)
                if answer.WhichOneof("type") == "script_finished":
                    break
        loaded.put_nowait(None)
        await page.wait_closed()


async def main(address: str, count: int) -> None:
    may_load, loaded = asyncio.Semaphore(AT_ONCE), asyncio.Queue[None]()
    visitors = [asyncio.create_task(visit(address, may_load, loaded)) for _ in range(count)]
    for _ in range(count):
        await loaded.get()
    print(f"{count} visitors have the page", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for visitor in visitors:
        visitor.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
