"""Malformed requests get a plain error, never a 5xx, and the next request is served."""

import contextlib
import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

from tests.system.cases import CLOSED, Case
from tests.system.malformed_bodies import SEVEN, malformed_bodies
from tests.system.malformed_http import malformed_http
from tests.system.running import RunningSystem

# An error must not contain these: code, files, addresses, names of programs.
INTERNALS = re.compile(
    r"Traceback|File \"|/tmp/|/site-packages|\.py\b|org\.pytorch|java\.|0x[0-9a-f]{8}|127\.0\.0\.1:\d"
)
CONCURRENT = 4
# No answer takes longer.
TIMEOUT_S = 25.0


CASES = [*malformed_bodies(), *malformed_http()]


def test_there_are_419_cases_with_unique_names():
    assert len({case.name for case in CASES}) == len(CASES) >= 419


def test_no_malformed_request_causes_a_server_error(system: RunningSystem):
    with ThreadPoolExecutor(CONCURRENT) as pool:
        problems = [found for found in pool.map(lambda case: _find_problem(system, case), CASES) if found]
    assert problems == []
    assert system.predict(SEVEN).json()["digit"] == 7


def _find_problem(system: RunningSystem, case: Case) -> str | None:
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
    return f"{shown}: the message contains internals" if INTERNALS.search(error["message"]) else None


def _answer(system: RunningSystem, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer; CLOSED if the connection ends without one."""
    with system.connect(TIMEOUT_S) as connection:
        # The gateway may refuse a request before all of it was sent. The answer may have arrived.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        method = request.split(b" ", 1)[0].decode("latin-1")
        with http.client.HTTPResponse(connection, method=method if method == "HEAD" else "POST") as response:
            try:
                response.begin()
                return response.status, dict(response.headers), response.read()
            except (http.client.BadStatusLine, http.client.RemoteDisconnected, ConnectionResetError):
                return CLOSED, {}, b""
