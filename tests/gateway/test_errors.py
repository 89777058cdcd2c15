"""nginx's own errors are JSON for any request."""

import http.client
import json
import socket

import pytest
import requests

from tests.gateway.running import Gateway
from tests.gateway.upstreams import Server

MEBIBYTE = 1024 * 1024
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"


def _assert_is_error(headers, body: bytes, status: int, kind: str) -> str:
    assert headers["Content-Type"] == "application/json"
    error = json.loads(body)
    assert error.keys() == {"code", "type", "message"}
    assert (error["code"], error["type"]) == (status, kind)
    assert len(error["message"]) > 20
    return error["message"]


@pytest.mark.parametrize(
    ("request_bytes", "status", "kind"),
    [
        (b"nonsense\r\n\r\n", 400, "BadRequest"),
        (b"GET /ping HTTP/1.1\r\n\r\n", 400, "BadRequest"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BadRequest"),
        (b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BadRequest"),
        (b"get /ping HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "BadRequest"),
        (HEAD + b"Content-Length: minus\r\n\r\n", 400, "BadRequest"),
        (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "BadRequest"),
        (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "BadRequest"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n", 400, "BadRequest"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400, "BadRequest"),
        (b"GET /ping HTTP/9.9\r\nHost: localhost\r\n\r\n", 400, "BadRequest"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "UriTooLong"),
        (b"GET /ping HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 9000 + b"\r\n\r\n", 431, "HeadersTooLarge"),
        (b"GET /ping HTTP/1.1\r\nHost: localhost\r\n" + (b"A: " + b"a" * 8000 + b"\r\n") * 6, 431, "HeadersTooLarge"),
    ],
)  # fmt: skip
def test_invalid_http_gets_a_json_error(gateway: Gateway, request_bytes, status, kind):
    response, body = gateway.exchange(request_bytes)
    assert response.status == status
    _assert_is_error(response.headers, body, status, kind)


@pytest.mark.parametrize(
    ("header", "value", "status"), [("Range", "bytes=999999999-", 416), ("If-Match", '"another"', 412)]
)
def test_a_failed_precondition_gets_a_json_error(gateway: Gateway, header, value, status):
    response = requests.get(f"{gateway.url}/openapi.json", headers={header: value}, timeout=30)
    assert response.status_code == status
    _assert_is_error(response.headers, response.content, status, "RequestFailed")


@pytest.mark.parametrize("header", [b'Content-Type: "}\\', b"Content-Type: \xff\xfe", b'X-Drawing-Id: "},{'])
@pytest.mark.parametrize("path", [b'/models/"}\\', b"/models/%22%0d%0a%7d", b"/models/\xff"])
def test_client_text_cannot_break_the_json_of_an_error(gateway: Gateway, header, path):
    response, body = gateway.exchange(
        b"GET " + path + b' HTTP/1.1\r\nHost: localhost\r\nA: "\r\n' + header + b"\r\n\r\n"
    )
    assert response.status == 404
    _assert_is_error(response.headers, body, 404, "NotFound")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_nginx_rejects_trace_and_connect_with_json(gateway: Gateway, method):
    target = "localhost:80" if method == "CONNECT" else "/"
    response, body = gateway.exchange(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert response.status in (400, 405)
    if response.status == 405:
        assert response.headers["Allow"] == "GET, HEAD, POST"
        assert method in _assert_is_error(response.headers, body, 405, "MethodNotAllowed")


@pytest.mark.parametrize("port", ["public", "inner"])
@pytest.mark.parametrize("path", ["/predictions/mnist", "/predict", "/explanations/mnist"])
def test_the_body_limit_is_exactly_five_mebibytes(gateway: Gateway, model: Server, path, port):
    url = f"http://127.0.0.1:{getattr(gateway, port)}{path}"
    assert requests.post(url, data=b"a" * (5 * MEBIBYTE), timeout=30).status_code == 200
    before = len(model.requests)
    response = requests.post(url, data=b"a" * (5 * MEBIBYTE + 1), timeout=30)
    assert response.status_code == 413
    message = _assert_is_error(response.headers, response.content, 413, "BodyTooLarge")
    assert "5242881 bytes" in message
    assert "5242880" in message
    assert len(model.requests) == before


def test_the_body_limit_includes_chunked_bodies(gateway: Gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.public, timeout=30)
    try:
        connection.putrequest("POST", "/predict")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        connection.send(chunk * 81)  # 5 MiB and 64 KiB; nginx must not wait for the end
        response = connection.getresponse()
        assert response.status == 413
        _assert_is_error(response.headers, response.read(), 413, "BodyTooLarge")
    finally:
        connection.close()


def test_a_slow_client_does_not_block_the_model(gateway: Gateway, model: Server):
    before = len(model.requests)
    with socket.create_connection(("127.0.0.1", gateway.public), timeout=30) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nhalf of it")
        assert requests.post(f"{gateway.url}/predict", data=b"another", timeout=30).status_code == 200
        assert len(model.requests) == before + 1


def test_answers_hide_the_nginx_version(gateway: Gateway):
    assert requests.get(f"{gateway.url}/models", timeout=30).headers["Server"] == "nginx"
