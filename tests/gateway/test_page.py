"""The page behind the gateway: requests, websocket, uploads and unavailability."""

import base64
import os
import socket

import pytest
import requests

from tests.gateway.running import Gateway
from tests.gateway.upstreams import Server

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "path", ["/", "/static/js/main.js?v=1", "/anything", "/modelsandmore", "/_stcore/health"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_other_paths_reach_the_page(gateway: Gateway, path, method):
    response = requests.request(method, gateway.url + path, timeout=30)
    assert response.headers["Content-Type"] == "text/html"
    received = response.json()
    assert (received["method"], received["path"]) == (method, path)


def test_the_page_receives_client_address_and_host(gateway: Gateway):
    claims = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "Cookie": "a=b"}
    headers = requests.get(gateway.url, headers=claims, timeout=30).json()["headers"]
    assert headers["host"] == f"127.0.0.1:{gateway.public}"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["cookie"] == "a=b"


def test_the_gateway_forwards_errors_of_the_page(gateway: Gateway):
    response = requests.get(f"{gateway.url}/missing", timeout=30)
    assert (response.status_code, response.text) == (404, "the page's own 404")


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/mcp", "/_stcore/script-health-check"])
def test_internal_paths_of_the_page_get_404(gateway: Gateway, page: Server, path):
    before = len(page.requests)
    response = requests.get(gateway.url + path, timeout=30)
    assert response.status_code == 404
    assert response.json()["type"] == "NotFound"
    assert len(page.requests) == before


def test_the_websocket_transmits_both_ways(gateway: Gateway, page: Server):
    host = f"127.0.0.1:{gateway.public}"
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", gateway.public), timeout=30) as connection:
        connection.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        for message in (b"a stroke", b"and another"):
            connection.sendall(message)
            assert connection.recv(4096) == message
    headers = page.requests[-1]["headers"]
    assert headers["host"] == host  # with its port, or the page would reject the Origin


def test_an_upload_of_ten_mebibytes_is_accepted(gateway: Gateway):
    picture = os.urandom(10 * MEBIBYTE)
    response = requests.put(f"{gateway.url}/_stcore/upload_file/a/b", files={"file": picture}, timeout=60)
    assert response.status_code == 200
    assert picture in base64.b64decode(response.json()["body"])


def test_a_larger_upload_is_refused(gateway: Gateway):
    response = requests.put(f"{gateway.url}/_stcore/upload_file/a/b", data=b"a" * (12 * MEBIBYTE), timeout=60)
    assert response.status_code == 413
    assert response.json()["type"] == "BodyTooLarge"


def test_a_browser_gets_html_while_the_page_is_unavailable(lonely_gateway: Gateway):
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = requests.get(lonely_gateway.url, headers={"Accept": accept}, timeout=30)
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "text/html"
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["Cache-Control"] == "no-store"
    assert "The drawing page (Streamlit) is unavailable" in response.text
    assert '<meta http-equiv="refresh"' in response.text
    assert "src=" not in response.text  # it loads no other file


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_program_gets_json_while_the_page_is_unavailable(lonely_gateway: Gateway, accept):
    response = requests.get(lonely_gateway.url, headers={"Accept": accept}, timeout=30)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    error = response.json()
    assert (error["code"], error["type"]) == (503, "PageUnavailable")
    assert "page" in error["message"]


def test_an_upload_gets_json_while_the_page_is_unavailable(lonely_gateway: Gateway):
    picture = os.urandom(10 * MEBIBYTE)
    response = requests.put(
        f"{lonely_gateway.url}/_stcore/upload_file/a/b", files={"file": picture}, timeout=60
    )
    assert (response.status_code, response.json()["type"]) == (503, "PageUnavailable")
