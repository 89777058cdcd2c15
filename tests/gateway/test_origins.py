"""Accepted origins of the drawing page, and accepted host names."""

import base64
import os
import re
from collections.abc import Iterator

import pytest
import requests

from ops.native.ports import bind_error
from tests.gateway.running import Gateway, run_gateway
from tests.gateway.upstreams import Server

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
}
FOREIGN = [
    "http://evil.test",
    "http://localhost",
    "http://localhost:3000",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://0.0.0.0:PORT",
    "http://localhost:PORT",
    "http://127.0.0.1:PORT.evil.test",
    "http://evil.test|http://127.0.0.1:PORT",
    "http://evil.test http://127.0.0.1:PORT",
    "http://user@127.0.0.1:PORT",
    "ftp://127.0.0.1:PORT",
    "null",
    "-",
    "http://-",
    "https://-",
    'http://"}\\',
]


@pytest.fixture
def behind_a_proxy(tmp_path, model: Server, page: Server) -> Iterator[Gateway]:
    """A gateway with two names in PUBLIC_HOSTS."""
    hosts = "digits.example.com other.example.com:8443"
    with run_gateway(tmp_path, model.address, page.address, public_hosts=hosts) as gateway:
        yield gateway


@pytest.fixture
def in_a_container(tmp_path, model: Server, page: Server) -> Iterator[Gateway]:
    with run_gateway(tmp_path, model.address, page.address, known="~.") as gateway:
        yield gateway


def _answer(gateway: Gateway, path: str = "/", method: str = "GET", **headers: str) -> requests.Response:
    return requests.request(method, gateway.url + path, headers=headers, timeout=30)


def _assert_is_refused(response: requests.Response, kind: str) -> str:
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/json"
    assert "Access-Control-Allow-Origin" not in response.headers
    error = response.json()
    assert (error["code"], error["type"]) == (403, kind)
    assert "PUBLIC_HOSTS" in error["message"]
    return error["message"]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize(
    "sent",
    [
        ("GET", "/", {}),
        ("POST", "/", {}),
        ("GET", "/media/picture.png", {}),
        ("GET", "/_stcore/health", {}),
        ("GET", "/_stcore/stream", UPGRADE),
        ("GET", "/%5Fstcore/stream", UPGRADE),
        ("PUT", "/_stcore/upload_file/a/b", {}),
        ("OPTIONS", "/_stcore/upload_file/a/b", {}),
    ],
)
def test_a_foreign_origin_gets_403(gateway: Gateway, page: Server, sent, origin):
    method, path, headers = sent
    before = len(page.requests)
    origin = origin.replace("PORT", str(gateway.public))
    message = _assert_is_refused(_answer(gateway, path, method, Origin=origin, **headers), "ForeignOrigin")
    assert f"'{re.match(r'[a-z0-9:/.-]+', origin)[0]}'" in message
    assert len(page.requests) == before


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:PORT", "http://127.0.0.1:PORT"),
        ("localhost:PORT", "http://localhost:PORT"),
        ("LOCALHOST:PORT", "http://localhost:PORT"),
        ("localhost", "https://localhost"),  # TLS ends at a proxy in front
        ("[::1]:PORT", "http://[::1]:PORT"),
    ],
)
def test_the_own_origin_is_accepted(gateway: Gateway, host, origin):
    host, origin = (text.replace("PORT", str(gateway.public)) for text in (host, origin))
    for path in ("/", "/_stcore/upload_file/a/b", "/_stcore/stream"):
        response = _answer(gateway, path, Host=host, Origin=origin)
        assert response.status_code == 200
        assert response.json()["headers"]["host"] == host


def test_a_request_without_an_origin_is_accepted(gateway: Gateway):
    assert _answer(gateway).status_code == 200


def test_a_listed_host_is_accepted_behind_a_proxy(behind_a_proxy: Gateway):
    for origin in (
        "https://digits.example.com",
        "http://DIGITS.example.com",
        "https://other.example.com:8443",
    ):
        assert _answer(behind_a_proxy, Origin=origin).status_code == 200
        assert _answer(behind_a_proxy, Host="digits.example.com", Origin=origin).status_code == 200
    for origin in (
        "https://digits.example.com:8443",
        "https://other.example.com",
        "https://example.com",
        "https://xdigits.example.com",
        "https://digitsxexample.com",
        "https://-",
    ):
        _assert_is_refused(_answer(behind_a_proxy, Origin=origin), "ForeignOrigin")


@pytest.mark.parametrize("path", ["/predictions/mnist", "/predict", "/explanations/mnist"])
def test_the_api_answers_any_origin(gateway: Gateway, path):
    assert _answer(gateway, path, "POST", Origin="http://evil.test").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.test", "evil.test:8000", "127.0.0.1.evil.test", "localhost.evil.test", "x", "unknown.host",
     "whole.body", "127.0.0.1x"],
)  # fmt: skip
@pytest.mark.parametrize(
    "sent",
    [("GET", "/"), ("GET", "/_stcore/stream"), ("POST", "/predict"), ("GET", "/ping"), ("GET", "/openapi.json"),
     ("GET", "/models"), ("OPTIONS", "/predict"), ("PUT", "/_stcore/upload_file/a/b")],
)  # fmt: skip
def test_an_unknown_host_gets_403(gateway: Gateway, page: Server, model: Server, sent, host):
    method, path = sent
    before = len(page.requests), len(model.requests)
    # To the browser, this is the same origin.
    message = _assert_is_refused(
        _answer(gateway, path, method, Host=host, Origin=f"http://{host}"), "UnknownHost"
    )
    assert f"'{host.split(':')[0]}'" in message
    assert (len(page.requests), len(model.requests)) == before


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:1", "LocalHost.", "127.0.0.1", "192.0.2.7:8000", "[::1]", "[2001:db8::7]:8000"],
)
def test_localhost_and_ip_addresses_are_accepted(gateway: Gateway, host):
    assert _answer(gateway, Host=host).status_code == 200
    assert _answer(gateway, "/ping", Host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "evil.test:8001", "gateway-inner", "127.0.0.1.evil.test", "unknown.host",
                                  "localhost.evil.test", "192.0.2.7", "[::1]", "x"])  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/ping"), ("POST", "/predict"), ("POST", "/explanations/mnist"), ("GET", "/"), ("OPTIONS", "/predict")],
)  # fmt: skip
def test_the_inner_listener_rejects_an_unknown_host(gateway: Gateway, model: Server, method, path, host):
    before = len(model.requests)
    response = requests.request(method, gateway.inner_url + path, headers={"Host": host}, timeout=30)
    assert (response.status_code, response.json()["type"]) == (403, "UnknownHost")
    assert "Accepted: 127.0.0.1 and localhost." in response.json()["message"]
    assert len(model.requests) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8001", "localhost:8001", "LOCALHOST"])
def test_the_inner_listener_accepts_its_own_names(gateway: Gateway, host):
    for body in (b"x", iter([b"in ", b"chunks"])):
        response = requests.post(
            f"{gateway.inner_url}/predict", data=body, headers={"Host": host}, timeout=30
        )
        assert response.status_code == 200
    assert requests.get(f"{gateway.inner_url}/ping", headers={"Host": host}, timeout=30).status_code == 200


def test_the_host_name_of_this_machine_is_accepted(gateway: Gateway):
    assert _answer(gateway, Host=f"{os.uname().nodename}:8000").status_code == 200


def test_an_http_1_0_request_needs_no_host(gateway: Gateway):
    assert gateway.exchange(b"GET /ping HTTP/1.0\r\n\r\n")[0].status == 200


def test_a_listed_host_is_accepted_with_any_port(behind_a_proxy: Gateway):
    for host in (
        "digits.example.com",
        "digits.example.com:9000",
        "other.example.com",
        "OTHER.example.com:8443",
    ):
        assert _answer(behind_a_proxy, Host=host).status_code == 200
    _assert_is_refused(_answer(behind_a_proxy, Host="example.com"), "UnknownHost")


def test_a_container_accepts_every_host_and_checks_origins(in_a_container: Gateway):
    for host in ("digits.example.com", "a", "10.0.0.1:8443"):
        assert _answer(in_a_container, Host=host, Origin=f"https://{host}").status_code == 200
        _assert_is_refused(_answer(in_a_container, Host=host, Origin="https://evil.test"), "ForeignOrigin")
    assert in_a_container.exchange(b"GET /ping HTTP/1.0\r\n\r\n")[0].status == 200


def test_the_gateway_listens_on_both_loopback_addresses(gateway: Gateway):
    if bind_error("::1", 0):
        pytest.skip("this machine has no IPv6")
    response = requests.get(f"http://[::1]:{gateway.public}/", timeout=30)
    assert response.status_code == 200
    assert response.json()["headers"]["x-forwarded-for"] == "::1"
