"""The requests that the gateway forwards to the model, and their form."""

import base64
import json
import uuid

import pytest
import requests

from tests.gateway.running import Gateway
from tests.gateway.upstreams import Server

PREDICTIONS = ["/predictions/mnist", "/predict"]
MODEL_PATHS = [*PREDICTIONS, "/explanations/mnist"]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE"]


@pytest.fixture(params=["public", "inner"])
def url(gateway: Gateway, request) -> str:
    """Each listener's address: the API is the same on both."""
    return gateway.url if request.param == "public" else gateway.inner_url


def _sent(url: str, body: bytes = b"a body", **headers: str) -> dict:
    """What the model received."""
    response = requests.post(url, data=body, headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("path", "forwarded_path"),
    [
        ("/predictions/mnist", "/predictions/mnist"),
        ("/predict", "/predictions/mnist"),
        ("/explanations/mnist", "/explanations/mnist"),
    ],
)
def test_the_gateway_forwards_a_request_to_the_model(url, path, forwarded_path):
    body = bytes(range(256)) * 50
    received = _sent(url + path, body)
    assert received["method"] == "POST"
    assert received["path"] == forwarded_path
    assert base64.b64decode(received["body"]) == body


def test_the_gateway_drops_the_query_string(url):
    # TorchServe adds query parameters to the request's data.
    assert _sent(f"{url}/predict?data=abc&explain=True")["path"] == "/predictions/mnist"


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "image/png", "text/plain", "application/json", "multipart/mixed",
     "multipart/form-data", 'multipart/form-data; boundary="', "multipart/form-data; boundary=a b"],
)  # fmt: skip
def test_the_model_receives_bytes_and_the_declared_type(url, content_type):
    headers = _sent(f"{url}/predict", **{"Content-Type": content_type})["headers"]
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type"] == content_type


def test_the_model_receives_a_form_as_bytes_with_its_boundary(url):
    response = requests.post(f"{url}/predict", files={"data": b"a picture"}, timeout=30)
    received = response.json()
    assert received["headers"]["content-type"] == "application/octet-stream"
    assert received["headers"]["x-content-type"].startswith("multipart/form-data; boundary=")
    assert b"a picture" in base64.b64decode(received["body"])


@pytest.mark.parametrize("content_type", ["", "caf\u00e9", "\u00ff\u00fe"])
def test_the_gateway_drops_a_missing_or_non_ascii_type(url, content_type):
    headers = {"Content-Type": content_type.encode("latin-1")} if content_type else {}
    received = _sent(f"{url}/predict", **headers)["headers"]
    assert received["content-type"] == "application/octet-stream"
    assert received.get("x-content-type", "") == content_type.encode("ascii", "ignore").decode()


def test_the_gateway_truncates_a_long_type(url):
    assert (
        len(_sent(f"{url}/predict", **{"Content-Type": "a/" + "b" * 5000})["headers"]["x-content-type"])
        == 200
    )


def test_the_gateway_forwards_only_the_drawing_id_of_the_client_headers(url):
    drawing = str(uuid.uuid4())
    received = _sent(
        f"{url}/predict",
        **{"X-Drawing-Id": drawing, "explain": "True", "X-Content-Type": "image/evil", "Cookie": "a=b",
           "Accept": "text/html", "Authorization": "Bearer x", "X-Forwarded-For": "1.2.3.4"},
    )["headers"]  # fmt: skip
    assert received.pop("x-drawing-id") == drawing
    assert received.pop("x-request-id")
    assert received.keys() <= {"host", "content-length", "content-type"}


@pytest.mark.parametrize("drawing", ["x" * 500, "'; DROP TABLE predictions; --", "1234"])
def test_the_gateway_drops_an_invalid_drawing_id(url, drawing):
    assert "x-drawing-id" not in _sent(f"{url}/predict", **{"X-Drawing-Id": drawing})["headers"]


def test_the_gateway_forwards_an_empty_body_to_the_handler(url):
    received = _sent(f"{url}/predict", b"")
    assert received["headers"]["content-length"] == "0"
    assert received["headers"]["content-type"] == "application/octet-stream"


def test_a_chunked_body_arrives_with_its_length(url):
    received = _sent(f"{url}/predict", iter([b"one", b"two"]))
    assert received["headers"]["content-length"] == "6"
    assert base64.b64decode(received["body"]) == b"onetwo"


@pytest.mark.parametrize("path", MODEL_PATHS)
def test_a_chunked_body_gets_the_same_answer(url, path):
    drawing = str(uuid.uuid4())
    headers = {"Content-Type": "image/png", "X-Drawing-Id": drawing, "explain": "True", "Cookie": "a=b"}
    headers |= {"X-Request-Id": "one-of-mine", "traceparent": TRACE}
    chunked = requests.post(
        f"{url}{path}?explain=True", data=iter([b"a ", b"body"]), headers=headers, timeout=30
    )
    whole = requests.post(url + path, data=b"a body", headers=headers, timeout=30)
    assert chunked.json() == whole.json()
    assert chunked.json()["headers"]["x-drawing-id"] == drawing
    assert chunked.json()["headers"]["x-request-id"] == "one-of-mine"
    assert chunked.json()["headers"]["traceparent"] == TRACE
    # The request passes the gateway twice, but the answer has its headers once.
    del chunked.headers["Date"], whole.headers["Date"]
    assert chunked.headers == whole.headers


def test_the_gateway_reuses_connections_to_the_model(url, model: Server):
    _sent(f"{url}/predict")
    before = model.connections
    for _ in range(20):
        _sent(f"{url}/predict")
    assert model.connections == before


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
@pytest.mark.parametrize("path", MODEL_PATHS)
@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_the_gateway_forwards_handler_errors_unchanged(url, status, path, chunked):
    body = f"STATUS {status}".encode()
    response = requests.post(url + path, data=iter([body]) if chunked else body, timeout=30)
    assert response.status_code == status
    assert response.json() == {"code": status, "type": "FromTheModel", "message": "What the model says."}


@pytest.mark.parametrize("path", MODEL_PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_only_post_reaches_the_model(url, model: Server, method, path):
    before = len(model.requests)
    response = requests.request(method, url + path, timeout=30)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert len(model.requests) == before
    if method != "HEAD":
        error = response.json()
        assert error["type"] == "MethodNotAllowed"
        assert method in error["message"]


@pytest.mark.parametrize(
    "value", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x-gzip", '"}\\', "\u00e9"]
)
@pytest.mark.parametrize("path", MODEL_PATHS)
def test_a_compressed_body_is_refused(url, model: Server, path, value):
    before = len(model.requests)
    headers = {"Content-Encoding": value.encode("latin-1")}
    for body in (b"compressed", iter([b"in ", b"chunks"])):
        response = requests.post(url + path, data=body, headers=headers, timeout=30)
        assert response.status_code == 415
        error = response.json()
        assert (error["code"], error["type"]) == (415, "UnsupportedContentEncoding")
        assert "Content-Encoding" in error["message"]
        assert (value if value.isascii() and '"' not in value else "(not plain text)") in error["message"]
    assert len(model.requests) == before


@pytest.mark.parametrize("value", ["", "identity", "Identity"])
def test_content_encoding_identity_is_accepted(url, value):
    assert base64.b64decode(_sent(f"{url}/predict", **{"Content-Encoding": value})["body"]) == b"a body"


@pytest.mark.parametrize("path", ["/ping", "/openapi.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_ping_and_openapi_accept_only_get_and_head(gateway: Gateway, method, path):
    response = requests.request(method, gateway.url + path, timeout=30)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.json()["code"] == 405


def test_ping_sends_a_known_digit_to_the_model(url, model: Server):
    response = requests.get(f"{url}/ping", timeout=30)
    assert response.status_code == 200
    assert response.json() == {"status": "Healthy"}
    received = model.requests[-1]
    assert (received["method"], received["path"]) == ("POST", "/predictions/mnist")
    assert received["headers"]["content-type"] == "application/octet-stream"
    picture = base64.b64decode(json.loads(base64.b64decode(received["body"]))["image"], validate=True)
    assert picture.startswith(b"\x89PNG\r\n")
    assert requests.head(f"{url}/ping", timeout=30).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/models", "/models/mnist", "/metrics", "/api-description", "/predictions", "/predictions/other",
     "/predictions/mnist/", "/predictions/mnist/1.0", "/explanations/other", "/predict/x", "/workflows/x",
     "/wfpredict/x", "/invocations", "/v1/models/mnist:predict", "/v2/models/mnist/infer", "/ping/x",
     "/predictions/../models", "/predictions/%2e%2e/models", "/predictions/mnist%2f1.0",
     "/predictions//mnist", "/_gateway/known_digit", "/_gateway/error", "/_gateway/page_away.html",
     "/page_away.html/../models"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_other_torchserve_paths_are_not_reachable(url, model: Server, method, path):
    before = len(model.requests)
    request = requests.Request(method, url).prepare()
    request.url = url + path  # requests would normalize the dots
    with requests.Session() as session:
        response = session.send(request, timeout=30)
    assert response.status_code == 404
    assert response.json()["type"] == "NotFound"
    assert len(model.requests) == before


@pytest.mark.parametrize(
    "path", ["/", "/api.conf", "/nginx.conf.template", "/page_away.html", "/_stcore/stream"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "whole.body"])
def test_the_inner_listener_serves_only_the_api(gateway: Gateway, path, host):
    response = requests.get(gateway.inner_url + path, headers={"Host": host}, timeout=30)
    assert response.status_code == 404
    assert response.json()["type"] == "NotFound"
