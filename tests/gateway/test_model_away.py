"""While the model is unavailable, the gateway's error names it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.gateway import upstreams
from tests.gateway.running import PREDICTION_TIMEOUT_S, Gateway, run_gateway
from tests.gateway.upstreams import Server

pytestmark = pytest.mark.service
PATHS = ["/predictions/mnist", "/predict", "/explanations/mnist"]
# 507: a worker without memory. The others: the model is missing, busy or failing, or the request is invalid.
TORCHSERVES_OWN = [403, 404, 405, 409, 429, 500, 501, 502, 503, 504, 505, 507]


def _assert_says_that_the_model_is_away(response: requests.Response) -> None:
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/json"
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["Cache-Control"] == "no-store"
    error = response.json()
    assert error.keys() == {"code", "type", "message"}
    assert (error["code"], error["type"]) == (503, "ModelUnavailable")
    assert "'mnist'" in error["message"]


@pytest.mark.parametrize("path", PATHS)
def test_an_unreachable_model_gets_a_503_that_names_it(lonely_gateway: Gateway, path):
    for url in (lonely_gateway.url, lonely_gateway.inner_url):
        _assert_says_that_the_model_is_away(requests.post(url + path, data=b"a" * 200_000, timeout=30))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", ["HANG UP", *(f"STATUS {status}" for status in TORCHSERVES_OWN)])
def test_torchserve_errors_become_model_unavailable(gateway: Gateway, model: Server, path, body):
    for url in (gateway.url, gateway.inner_url):
        before = len(model.requests)
        _assert_says_that_the_model_is_away(requests.post(url + path, data=body, timeout=30))
        assert len(model.requests) == before + 1  # no retry, because the request may crash the worker


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [500, 507])
def test_every_body_form_gets_model_unavailable(gateway: Gateway, path, status):
    body = f"STATUS {status} ".encode() + b"a" * 4_000_000
    for data in (body, iter([body])):
        _assert_says_that_the_model_is_away(requests.post(gateway.url + path, data=data, timeout=30))


def test_the_gateway_retries_the_model_on_the_next_request(gateway: Gateway):
    for _ in range(5):
        assert requests.post(f"{gateway.url}/predict", data="STATUS 500", timeout=30).status_code == 503
        assert requests.post(f"{gateway.url}/predict", data="a digit", timeout=30).status_code == 200


def test_an_explanation_has_a_longer_timeout_than_a_prediction(impatient: Gateway, model: Server):
    # TorchServe holds a request while its workers hang, but many explanations at once are slow. The shipped timeout of
    # a prediction is 10 s, of an explanation 30 s.
    def ask(path: str) -> requests.Response:
        return requests.post(impatient.url + path, data=b"UNTIL RELEASED", timeout=60)

    *predict, explain = PATHS
    with ThreadPoolExecutor() as pool:
        begin = time.monotonic()
        explanation = pool.submit(ask, explain)
        for response in pool.map(ask, predict):
            _assert_says_that_the_model_is_away(response)
        assert time.monotonic() - begin > PREDICTION_TIMEOUT_S - 1
        assert not explanation.done()
        model.released.set()
        assert explanation.result().status_code == 200


def test_ping_fails_without_a_model_connection(lonely_gateway: Gateway):
    for url in (lonely_gateway.url, lonely_gateway.inner_url):
        _assert_says_that_the_model_is_away(requests.get(f"{url}/ping", timeout=30))
        assert requests.head(f"{url}/ping", timeout=30).status_code == 503


def test_ping_fails_when_the_model_has_no_worker(tmp_path):
    with upstreams.broken_model() as model, run_gateway(tmp_path, model.address, "127.0.0.1:9") as gateway:
        _assert_says_that_the_model_is_away(requests.get(f"{gateway.url}/ping", timeout=30))
        assert model.requests[-1]["path"] == "/predictions/mnist"


def test_the_gateway_reaches_a_model_after_its_start(tmp_path):
    with upstreams.model() as model:
        address = model.address
    with run_gateway(tmp_path, address, "127.0.0.1:9") as gateway:
        assert requests.get(f"{gateway.url}/ping", timeout=30).status_code == 503
        with upstreams.model(int(address.split(":")[1])):
            assert requests.get(f"{gateway.url}/ping", timeout=30).status_code == 200
            assert requests.post(f"{gateway.url}/predict", data=b"a digit", timeout=30).status_code == 200


def test_ping_fails_when_the_worker_has_no_memory_left(tmp_path):
    with upstreams.full_model() as model, run_gateway(tmp_path, model.address, "127.0.0.1:9") as gateway:
        _assert_says_that_the_model_is_away(requests.get(f"{gateway.url}/ping", timeout=30))


def test_openapi_json_needs_no_model(lonely_gateway: Gateway):
    assert requests.get(f"{lonely_gateway.url}/openapi.json", timeout=30).status_code == 200
