"""Whatever a client sends gets a plain answer, never a 5xx, and the next one is served."""

import contextlib
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

from tests.system.cases import CLOSED, Case
from tests.system.malformed_bodies import SEVEN, malformed_bodies
from tests.system.malformed_http import malformed_http
from tests.system.running import RunningSystem

# What an error must not tell: code, files, addresses, and which programs answer.
TELLING = re.compile(
    r"Traceback|File \"|/tmp/|/site-packages|\.py\b|org\.pytorch|java\.|0x[0-9a-f]{8}|127\.0\.0\.1:\d"
)
SERVED_TOGETHER = 4
# What waits for more of a request is cut by the client: nothing of the corpus is slow to be refused.
TIMEOUT_S = 25.0


CASES = [*malformed_bodies(), *malformed_http()]


def test_there_are_many_and_each_has_a_name():
    assert len({case.name for case in CASES}) == len(CASES) >= 419


def test_nothing_that_a_client_sends_is_a_server_error(system: RunningSystem):
    with ThreadPoolExecutor(SERVED_TOGETHER) as pool:
        wrong = [found for found in pool.map(lambda case: _what_is_wrong(system, case), CASES) if found]
    assert wrong == []
    assert system.predict(SEVEN).json()["digit"] == 7


def _what_is_wrong(system: RunningSystem, case: Case) -> str | None:
    status, headers, body = _answer(system, case.request)
    shown = f"{case.name}: {status} {body[:300]!r}"
    if status not in case.statuses:
        return f"{shown}, expected {sorted(case.statuses)}"
    if status in (CLOSED, 200) or case.page or case.name.startswith("HEAD "):
        return None
    try:
        error = json.loads(body)
    except ValueError:
        return f"{shown}: not JSON"
    if error.keys() != {"code", "type", "message"} or error["code"] != status or len(error["message"]) < 20:
        return f"{shown}: not an error of the API"
    if headers.get("Content-Type") != "application/json":
        return f"{shown}: its type is {headers.get('Content-Type')}"
    return f"{shown}: it tells too much" if TELLING.search(error["message"]) else None


def _answer(system: RunningSystem, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to these bytes; CLOSED when the connection just ends."""
    with system.connect(TIMEOUT_S) as connection:
        # A request that is refused before all of it was sent: the answer may have arrived.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        method = request.split(b" ", 1)[0].decode("latin-1")
        with http.client.HTTPResponse(connection, method=method if method == "HEAD" else "POST") as response:
            try:
                response.begin()
                return response.status, dict(response.headers), response.read()
            except (http.client.BadStatusLine, http.client.RemoteDisconnected, ConnectionResetError):
                return CLOSED, {}, b""
