"""The request id: the client's or the gateway's, forwarded and returned with every answer."""

import re

import pytest
import requests

from tests.gateway.running import Gateway
from tests.gateway.upstreams import Server

NGINX = re.compile("[0-9a-f]{32}")
VALID = ["a", "6f1f6c1e-52a5-4f0b-9a0e-0d5f0f6f7a11", "A.b_c-9", "x" * 64]
INVALID = ["x" * 65, "a b", 'a"b', "a,b", "\\u0022", "\u00e9".encode().decode("latin-1"), "{}", "a\tb"]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _ids(gateway: Gateway, model: Server, sent: str | None, path: str = "/predict") -> tuple[str, str]:
    """The ids that the client and the model received."""
    headers = {} if sent is None else {"X-Request-Id": sent}
    response = requests.post(gateway.url + path, data=b"a body", headers=headers, timeout=30)
    assert response.status_code == 200
    return response.headers["X-Request-Id"], model.requests[-1]["headers"]["x-request-id"]


@pytest.mark.parametrize("sent", VALID)
def test_the_gateway_keeps_a_valid_id(gateway: Gateway, model: Server, sent):
    assert _ids(gateway, model, sent) == (sent, sent)


@pytest.mark.parametrize("sent", [None, "", *INVALID])
def test_the_gateway_replaces_an_invalid_id(gateway: Gateway, model: Server, sent):
    answered, passed_on = _ids(gateway, model, sent)
    assert NGINX.fullmatch(answered)
    assert passed_on == answered
    assert _ids(gateway, model, sent)[0] != answered


def test_the_gateway_replaces_two_ids(gateway: Gateway):
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\r\nX-Request-Id: b\r\n\r\n"
    response, _ = gateway.exchange(request)
    assert NGINX.fullmatch(response.headers["X-Request-Id"])


def test_the_page_receives_the_id(gateway: Gateway, page: Server):
    response = requests.get(f"{gateway.url}/history", headers={"X-Request-Id": "mine"}, timeout=30)
    assert response.headers["X-Request-Id"] == "mine"
    assert page.requests[-1]["headers"]["x-request-id"] == "mine"
    requests.get(f"{gateway.url}/history", timeout=30)
    assert NGINX.fullmatch(page.requests[-1]["headers"]["x-request-id"])


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"nonsense", 400),
        (b"GET /missing/%00 HTTP/1.1\r\nHost: localhost", 400),
        (b"GET /predict HTTP/1.1\r\nHost: localhost", 405),
        (b"GET /models HTTP/1.1\r\nHost: localhost", 404),
        (b"GET / HTTP/1.1\r\nHost: evil.test", 403),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost", 414),
    ],
)
def test_gateway_errors_have_an_id(gateway: Gateway, request_line, status):
    response, _ = gateway.exchange(request_line + b"\r\n\r\n")
    assert response.status == status
    assert NGINX.fullmatch(response.headers["X-Request-Id"])


def test_an_error_of_an_unavailable_part_has_the_client_id(lonely_gateway: Gateway):
    for path in ("/predict", "/explanations/mnist"):
        response = requests.post(
            lonely_gateway.url + path, data=b"x", headers={"X-Request-Id": "mine"}, timeout=30
        )
        assert (response.status_code, response.headers["X-Request-Id"]) == (503, "mine")
    response = requests.get(lonely_gateway.url, headers={"X-Request-Id": "mine"}, timeout=30)
    assert (response.status_code, response.headers["X-Request-Id"]) == (503, "mine")


@pytest.mark.parametrize("listener", ["url", "inner_url"])
def test_the_gateway_forwards_only_a_valid_traceparent(gateway: Gateway, model: Server, listener):
    url = f"{getattr(gateway, listener)}/predict"
    for sent in (TRACE, TRACE.upper(), "00-" + "0" * 600, 'x"', ""):
        requests.post(url, data=b"x", headers={"traceparent": sent}, timeout=30)
        assert model.requests[-1]["headers"].get("traceparent") == (TRACE if sent == TRACE else None)
