"""CORS: access of web pages from CORS_ORIGINS to the API."""

from collections.abc import Iterator

import pytest
import requests

from tests.gateway.running import Gateway, run_gateway
from tests.gateway.upstreams import Server

MODEL_PATHS = ["/predictions/mnist", "/predict", "/explanations/mnist"]
APP, OTHER = "https://app.example.com", "http://localhost:3000"
STRANGERS = ["https://evil.test", "https://app.example.com.evil.test", "https://app.example.com:8443",
             "http://app.example.com", "https://xapp.example.com", "null", "-", "https://appxexample.com",
             f"{APP}|{APP}", f"{APP} {OTHER}"]  # fmt: skip


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory, model: Server, page: Server) -> Iterator[Gateway]:
    """A gateway with two origins in CORS_ORIGINS."""
    folder = tmp_path_factory.mktemp("cors")
    with run_gateway(folder, model.address, page.address, cors_origins=f"{APP} {OTHER}") as gateway:
        yield gateway


def _cors(response: requests.Response) -> dict[str, str]:
    return {
        name.lower(): value
        for name, value in response.headers.items()
        if name.lower().startswith("access-control-")
    }


def _preflight(gateway: Gateway, path: str, origin: str) -> requests.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST",
               "Access-Control-Request-Headers": "content-type,x-drawing-id"}  # fmt: skip
    return requests.options(gateway.url + path, headers=headers, timeout=30)


@pytest.mark.parametrize("origin", [APP, OTHER])
@pytest.mark.parametrize("path", MODEL_PATHS)
def test_a_preflight_is_answered_at_the_gateway(open_gateway: Gateway, model: Server, path, origin):
    before = len(model.requests)
    response = _preflight(open_gateway, path, origin)
    assert (response.status_code, response.content) == (204, b"")
    assert _cors(response) == {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "content-type, x-drawing-id, x-request-id, traceparent",
        "access-control-max-age": "7200",
        "access-control-expose-headers": "Retry-After, X-Request-Id",
    }
    assert response.headers["Vary"] == "Origin"
    assert len(model.requests) == before


@pytest.mark.parametrize("origin", STRANGERS)
def test_unlisted_origins_get_no_cors_headers(open_gateway: Gateway, origin):
    response = _preflight(open_gateway, "/predict", origin)
    assert response.status_code == 405
    assert _cors(response) == {}
    response = requests.post(f"{open_gateway.url}/predict", data=b"x", headers={"Origin": origin}, timeout=30)
    assert response.status_code == 200  # as for a program
    assert _cors(response) == {}
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", MODEL_PATHS)
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"a picture", {}, 200),
        (iter([b"in ", b"chunks"]), {}, 200),
        (b"STATUS 400", {}, 400),
        (b"a" * (5 * 2**20 + 1), {}, 413),
        (b"x", {"Content-Encoding": "gzip"}, 415),
        (b"HANG UP", {}, 503),
    ],
    ids=["answer", "chunked", "of the model", "too large", "compressed", "model away"],
)
def test_a_listed_origin_can_read_an_answer_of_any_status(open_gateway: Gateway, path, body, headers, status):
    response = requests.post(
        open_gateway.url + path, data=body, headers={"Origin": APP, **headers}, timeout=30
    )
    assert response.status_code == (status if status != 200 else 200)
    assert _cors(response) == {
        "access-control-allow-origin": APP,
        "access-control-expose-headers": "Retry-After, X-Request-Id",
    }
    assert response.headers["Vary"] == "Origin"


def test_a_listed_origin_can_read_a_429(tmp_path, model: Server, page: Server):
    with run_gateway(tmp_path, model.address, page.address, rate_limit=1, cors_origins=APP) as gateway:
        for _ in range(100):
            response = requests.post(f"{gateway.url}/predict", data=b"x", headers={"Origin": APP}, timeout=30)
            assert _cors(response)["access-control-allow-origin"] == APP
            if response.status_code == 429:
                return
    raise AssertionError("100 requests were accepted")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/predict?{'a' * 9000}", {}, 414),
        # Before or after the Origin header, which the gateway may not have read.
        ("/predict", {"A": "a" * 9000, "Origin": APP}, 431),
        ("/predict", {"Origin": APP, "A": "a" * 9000}, 431),
    ],
)
def test_any_origin_can_read_414_and_431(open_gateway: Gateway, gateway: Gateway, path, headers, status):
    headers = {"Origin": APP} | headers if status == 414 else headers
    response = requests.get(open_gateway.url + path, headers=headers, timeout=30)
    assert response.status_code == status
    assert _cors(response) == {
        "access-control-allow-origin": "*",
        "access-control-expose-headers": "Retry-After, X-Request-Id",
    }
    response = requests.get(gateway.url + path, headers=headers, timeout=30)
    assert response.status_code == status
    assert _cors(response) == {}


def test_a_listed_origin_can_read_openapi_json(open_gateway: Gateway):
    response = requests.get(f"{open_gateway.url}/openapi.json", headers={"Origin": APP}, timeout=30)
    assert _cors(response)["access-control-allow-origin"] == APP


@pytest.mark.parametrize("path", ["/", "/ping", "/models", "/_stcore/stream"])
def test_other_paths_have_no_cors_headers(open_gateway: Gateway, path):
    response = requests.get(open_gateway.url + path, headers={"Origin": APP}, timeout=30)
    assert _cors(response) == {}
    assert requests.options(open_gateway.url + path, headers={"Origin": APP}, timeout=30).status_code >= 400


@pytest.mark.parametrize("path", MODEL_PATHS)
def test_without_cors_origins_there_are_no_cors_headers(gateway: Gateway, path):
    response = requests.post(gateway.url + path, data=b"x", headers={"Origin": APP}, timeout=30)
    assert response.status_code == 200
    assert _cors(response) == {}
    assert "Vary" not in response.headers
    assert _preflight(gateway, path, APP).status_code == 405
    assert _preflight(gateway, path, "-").status_code == 405
