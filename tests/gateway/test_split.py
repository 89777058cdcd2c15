"""The traffic split: a canary gets its share of the drawings, and each drawing has one version."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
import requests
import urllib3

from ops.versions.state import Versions
from tests.gateway.running import Gateway, run_gateway
from tests.gateway.upstreams import Server

DEFAULT, CANARY = "/predictions/mnist", "/predictions/mnist/1.1"
PATHS = ["/predictions/mnist", "/predict", "/explanations/mnist"]


@pytest.fixture(scope="module")
def split(model: Server, page: Server, tmp_path_factory) -> Iterator[Gateway]:
    """A gateway that sends 10 % to version 1.1."""
    folder, versions = tmp_path_factory.mktemp("split"), Versions("1.0", split={"1.1": 0.1})
    with run_gateway(folder, model.address, page.address, versions=versions) as gateway:
        yield gateway


def _answering_paths(url: str, ids: Sequence[str | None]) -> list[str]:
    """The model's paths for drawings with these ids."""
    # `requests`, based on it, needs five times the CPU time: 10 s for 10,000 drawings.
    with urllib3.connection_from_url(url, timeout=30, retries=False) as gateway:
        return [
            gateway.request(
                "POST", "/predict", body=b"a drawing", headers={"X-Drawing-Id": id_} if id_ else {}
            ).json()["path"]
            for id_ in ids
        ]


def test_the_canary_gets_its_share_of_ten_thousand_drawings(split: Gateway):
    paths = Counter(_answering_paths(split.inner_url, [str(uuid.uuid4()) for _ in range(10_000)]))
    assert paths.keys() == {DEFAULT, CANARY}
    assert 900 <= paths[CANARY] <= 1100


def test_a_drawing_always_has_the_same_version(split: Gateway):
    ids = [str(uuid.uuid4()) for _ in range(60)]
    first = _answering_paths(split.inner_url, ids)
    assert len(set(first)) == 2
    for url in (split.inner_url, split.url):
        assert _answering_paths(url, ids) == first


def test_requests_without_a_drawing_id_are_split_individually(split: Gateway):
    paths = Counter(_answering_paths(split.url, [None] * 500))
    assert 15 <= paths[CANARY] <= 100
    # An invalid id counts as no id.
    assert len(set(_answering_paths(split.url, ["of no form"] * 200))) == 2


def test_without_a_canary_the_default_answers_all(gateway: Gateway):
    assert set(_answering_paths(gateway.url, [*(str(uuid.uuid4()) for _ in range(50)), *[None] * 50])) == {
        DEFAULT
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("status", [404, 503])
def test_the_default_answers_while_the_canary_is_missing(split: Gateway, model: Server, path, status):
    ids = (str(uuid.uuid4()) for _ in range(1000))
    canarys = next(id_ for id_ in ids if _answering_paths(split.url, [id_]) == [CANARY])
    before = len(model.requests)
    body = f"STATUS {status}"
    response = requests.post(split.url + path, data=body, headers={"X-Drawing-Id": canarys}, timeout=30)
    # This test model answers the default version in the same way.
    assert response.status_code == 503
    assert response.json()["type"] == "ModelUnavailable"
    paths = [request["path"] for request in model.requests[before:]]
    explains = path.startswith("/explanations")
    assert paths == (
        [CANARY.replace("predictions", "explanations"), "/explanations/mnist"]
        if explains
        else [CANARY, DEFAULT]
    )
    assert len({request["body"] for request in model.requests[before:]}) == 1
