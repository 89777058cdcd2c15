"""The limits of one client, and the headers of every answer."""

import contextlib
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from fixtures.waiting import eventually
from tests.gateway.running import Gateway, run_gateway
from tests.gateway.upstreams import Server

BURST = 40
AT_THE_SAME_TIME = 100
API = ["/predictions/mnist", "/predict", "/explanations/mnist"]
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@pytest.fixture
def limited(tmp_path, model: Server, page: Server) -> Iterator[Gateway]:
    """A gateway with a limit of one request per second, so that a slow test does not allow more."""
    with run_gateway(tmp_path, model.address, page.address, rate_limit=1) as gateway:
        yield gateway


def _statuses(url: str, count: int, method: str = "POST") -> Counter[int]:
    with requests.Session() as session:
        return Counter(
            session.request(method, url, data=b"x" * (method == "POST")).status_code for _ in range(count)
        )


@pytest.mark.parametrize(("path", "method"), [*((path, "POST") for path in API), ("/ping", "GET")])
def test_requests_after_a_burst_get_429(limited: Gateway, path, method):
    begin = time.monotonic()
    statuses = _statuses(limited.url + path, BURST + 40, method)
    assert statuses.keys() == {200, 429}
    # The limit accepts one more request for each second of the test, and one for the started second.
    assert BURST < statuses[200] <= BURST + 2 + time.monotonic() - begin


def test_a_429_states_the_limit_and_the_retry_time(limited: Gateway):
    response = _first_refused(f"{limited.url}/predict")
    assert response.headers["Retry-After"] == "1"
    assert response.json()["code"] == 429
    assert response.json()["type"] == "TooManyRequests"
    assert "Accepted: 1 per second, in bursts of 40," in response.json()["message"]
    time.sleep(int(response.headers["Retry-After"]) + 0.1)
    assert requests.post(f"{limited.url}/predict", data=b"x", timeout=30).status_code == 200


def _first_refused(url: str) -> requests.Response:
    for _ in range(10 * BURST):
        response = requests.post(url, data=b"x", timeout=30)
        if response.status_code == 429:
            return response
    raise AssertionError(f"{url} refused none of {10 * BURST} requests")


def test_the_api_paths_share_one_rate_limit(limited: Gateway):
    _first_refused(limited.url + API[0])
    assert 429 in _statuses(limited.url + API[2], 5)


def test_the_page_has_no_rate_limit(limited: Gateway):
    assert _statuses(f"{limited.url}/static/js/index.js", BURST + 60, "GET") == {200: BURST + 60}


def test_the_inner_listener_has_no_rate_limit(limited: Gateway):
    assert _statuses(f"{limited.inner_url}/predictions/mnist", BURST + 60) == {200: BURST + 60}


def test_a_limit_of_0_disables_the_rate_limit(gateway: Gateway):
    assert _statuses(f"{gateway.url}/predict", BURST + 60) == {200: BURST + 60}


@pytest.fixture
def fresh(tmp_path, model: Server, page: Server) -> Iterator[Gateway]:
    """A new gateway, without earlier requests."""
    with run_gateway(tmp_path, model.address, page.address) as gateway:
        yield gateway


def test_the_gateway_delays_thirty_concurrent_uploads(fresh: Gateway, page: Server):
    head = b"PUT /_stcore/upload_file/a/%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
    before, begin = len(page.requests), time.monotonic()
    with contextlib.ExitStack() as open_ones:
        connections = [
            open_ones.enter_context(socket.create_connection(("127.0.0.1", fresh.public), timeout=30))
            for _ in range(30)
        ]
        for index, connection in enumerate(connections):
            connection.sendall(head % index)
        time.sleep(1)
        assert requests.get(f"{fresh.url}/", timeout=30).status_code == 200  # other requests are not delayed
        for connection in connections:
            connection.setblocking(False)
        answers = [_what_came(connection) for connection in connections]
        passed_on = len(page.requests) - before - 1
        seconds = time.monotonic() - begin
    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 429")]
    assert len(refused) >= 30 - 21 - 2 * seconds
    assert b"2 uploads per second, in bursts of 20" in refused[0]
    assert b"Retry-After: 1" in refused[0]
    assert 3 <= passed_on <= 3 + 2 * seconds


def _what_came(connection: socket.socket) -> bytes:
    try:
        return connection.recv(10_000)
    except BlockingIOError:
        return b""


def test_sequential_uploads_of_one_address_are_accepted(fresh: Gateway):
    url = f"{fresh.url}/_stcore/upload_file/a/b"
    with requests.Session() as session:
        assert {session.put(url, data=b"x", timeout=30).status_code for _ in range(6)} == {200}
        assert {session.delete(url, timeout=30).status_code for _ in range(60)} == {200}


def _open_request(gateway: Gateway) -> socket.socket:
    """A request without its body."""
    connection = socket.create_connection(("127.0.0.1", gateway.public), timeout=30)
    connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1")
    return connection


def _status(gateway: Gateway) -> int:
    return requests.post(f"{gateway.url}/predict", data=b"x", timeout=30).status_code


def test_a_client_has_at_most_a_hundred_concurrent_requests(gateway: Gateway):
    with contextlib.ExitStack() as open_ones:
        begun = [open_ones.enter_context(_open_request(gateway)) for _ in range(AT_THE_SAME_TIME)]
        eventually(lambda: _status(gateway) == 429)
        assert requests.get(f"{gateway.url}/", timeout=30).status_code == 200  # the page is not the API
        begun[0].close()
        eventually(lambda: _status(gateway) == 200)


def test_a_cancelled_request_releases_the_model(gateway: Gateway, model: Server):
    before = model.given_up
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{gateway.url}/predict", data=b"UNTIL GIVEN UP", timeout=2)
    eventually(lambda: model.given_up == before + 1)


def test_slow_headers_time_out(impatient: Gateway):
    with socket.create_connection(("127.0.0.1", impatient.public), timeout=1) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nX-Slow: ")
        with pytest.raises(ConnectionResetError):
            _drip(connection, seconds=60)


def _drip(connection: socket.socket, seconds: int) -> None:
    for _ in range(seconds):
        with contextlib.suppress(TimeoutError):
            connection.recv(1)
        connection.sendall(b"x")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/predict", 200),
        ("GET", "/predict", 405),
        ("GET", "/ping", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/models", 404),
        ("GET", "/", 200),
        ("GET", "/static/media/font.woff2", 200),
    ],
)
def test_every_answer_has_the_security_headers_once(gateway: Gateway, method, path, status):
    response = requests.request(method, gateway.url + path, data=b"x" * (method == "POST"), timeout=30)
    assert response.status_code == status
    for name, value in SECURITY.items():
        assert response.headers[name] == value
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert not {"X-Powered-By", "Via"} & response.headers.keys()
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])
    assert response.headers["Server"] == "nginx"


@pytest.mark.parametrize("path", ["/predict", "/explanations/mnist"])
def test_an_error_page_has_the_security_headers_once(lonely_gateway: Gateway, path):
    response = requests.post(lonely_gateway.url + path, data=b"x", timeout=30)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.headers["Cache-Control"] == "no-store"
    for name, value in SECURITY.items():
        assert response.headers[name] == value
