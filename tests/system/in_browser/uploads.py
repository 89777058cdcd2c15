"""Upload files in a session of the page without letting the page read them.

    python uploads.py ADDRESS COUNT BYTES AT_ONCE

prints the status of each PUT, one a line, and keeps the session open until the end of its standard input. Runs in the
page's environment, because it needs Streamlit's message classes.
"""

import asyncio
import concurrent.futures
import os
import sys

import requests
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


async def addresses(page: websockets.ClientConnection, count: int) -> list[str]:
    """The upload addresses that the page assigns."""
    ask = BackMsg()
    ask.rerun_script.query_string = ""
    await page.send(ask.SerializeToString())
    await _answer(page, "script_finished")
    found = []
    for number in range(count):  # one in each message, as in a browser
        ask = BackMsg()
        ask.file_urls_request.request_id = str(number)
        ask.file_urls_request.file_names.append(f"{number}.png")
        await page.send(ask.SerializeToString())
        answer = await _answer(page, "file_urls_response")
        found += [file.upload_url for file in answer.file_urls_response.file_urls]
    return found


async def _answer(page: websockets.ClientConnection, kind: str) -> ForwardMsg:
    async for message in page:
        answer = ForwardMsg.FromString(message)
        if answer.WhichOneof("type") == kind:
            return answer
    raise EOFError("the page closed the connection")


def put(address: str, path: str, size: int) -> int:
    """Send one file; the status of the answer."""
    with requests.Session() as browser:
        browser.get(f"{address}/_stcore/health", timeout=30)
        return browser.put(
            f"{address}/{path.lstrip('/')}",
            files={"file": ("a.png", os.urandom(size), "image/png")},
            headers={"X-Xsrftoken": browser.cookies.get("_streamlit_xsrf", "")},
            timeout=60,
        ).status_code


async def main(address: str, count: int, size: int, at_once: int) -> None:
    url = address.replace("http://", "ws://") + "/_stcore/stream"
    async with websockets.connect(url, origin=address, subprotocols=["streamlit"], max_size=None) as page:
        paths = await addresses(page, count)
        listening = asyncio.create_task(page.wait_closed())
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            for status in await asyncio.to_thread(
                lambda: list(pool.map(lambda path: put(address, path, size), paths))
            ):
                print(status, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        listening.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
