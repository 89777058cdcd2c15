import base64
import contextlib
import logging
import re
import time
import uuid

import pytest

from tests.ui.conftest import ANSWER
from ui import model_client
from ui.model_client import UNAVAILABLE, ModelClient, ModelError, PictureRefusedError

ID = uuid.UUID(int=7)


def test_a_prediction_request_has_the_drawings_id(client, fake_model):
    answer = client.predict(b"png", ID)
    [(path, headers, body)] = fake_model.requests
    assert path == "/predictions/mnist"
    assert headers["X-Drawing-Id"] == str(ID)
    assert body == b"png"
    assert answer.digit == ANSWER["digit"]
    assert answer.probabilities == ANSWER["probabilities"]
    assert answer.latency_ms > 0


@pytest.mark.parametrize("status", [200, 503])
def test_each_request_has_an_id_that_is_logged_with_the_drawings(client, fake_model, caplog, status):
    caplog.set_level(logging.INFO, "ui.model_client")
    fake_model.status = status
    for _ in range(2):
        with contextlib.suppress(ModelError):
            client.predict(b"png", ID)
    sent = [headers["X-Request-Id"] for _, headers, _ in fake_model.requests]
    assert len({*sent}) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", request_id) for request_id in sent)
    assert [(record.request_id, record.drawing_id) for record in caplog.records] == [
        (request_id, str(ID)) for request_id in sent
    ]
    assert {record.levelname for record in caplog.records} == {"INFO" if status == 200 else "WARNING"}


def test_a_request_without_an_answer_is_logged_too(caplog):
    client = ModelClient("http://127.0.0.1:9")
    with pytest.raises(ModelError):
        client.predict(b"png", ID)
    client.close()
    [record] = caplog.records
    assert record.drawing_id == str(ID)
    assert record.request_id
    assert record.getMessage() == "predictions failed: ConnectionError"


@pytest.mark.parametrize(
    ("pixels", "share"),
    [(bytes(784), 0.0), (bytes([255]) * 784, 1.0), (bytes([255]) * 196 + bytes(588), 0.25)],
)
def test_the_ink_share_is_the_mean_of_the_input(client, fake_model, pixels, share):
    fake_model.content = ANSWER | {"input": base64.b64encode(pixels).decode()}
    assert client.predict(b"png", ID).ink_share == share


def test_additional_fields_of_a_later_model_are_ignored(client, fake_model):
    fake_model.content = ANSWER | {"mood": "fine"}
    assert client.predict(b"png", ID).digit == 7


def test_an_explanation_has_its_own_path(client, fake_model):
    fake_model.content = ANSWER | {
        "heatmap": [[0.5] * 28] * 28,
        "runner_up": 1,
        "contrast": [[-0.5] * 28] * 28,
    }
    explanation = client.explain(b"png", ID)
    assert fake_model.requests[0][0] == "/explanations/mnist"
    assert explanation.runner_up == 1
    assert explanation.contrast == [[-0.5] * 28] * 28


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (503, {"code": 503, "type": "ModelUnavailable", "message": "..."}),
        (500, b"<html>oops</html>"),
        (404, b""),
    ],
)
def test_an_unavailable_model_is_reported(client, fake_model, status, content):
    fake_model.status, fake_model.content = status, content
    with pytest.raises(ModelError) as raised:
        client.predict(b"png", ID)
    assert str(raised.value) == UNAVAILABLE


def test_a_refused_connection_is_reported():
    client = ModelClient("http://127.0.0.1:9")
    with pytest.raises(ModelError, match="Model server unavailable"):
        client.predict(b"png", ID)
    client.close()


def test_a_request_without_an_answer_times_out(monkeypatch, client, fake_model):
    monkeypatch.setitem(model_client.READ_TIMEOUT_S, "predictions", 0.2)
    fake_model.answering.clear()
    with pytest.raises(ModelError, match="Model server unavailable"):
        client.predict(b"png", ID)


def test_proxies_of_the_environment_are_ignored(monkeypatch, client):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert client.predict(b"png", ID).digit == 7


def test_the_latency_is_measured_by_the_page(client, fake_model):
    fake_model.delay_s = 0.15
    begin = time.monotonic()
    waited_ms = client.predict(b"png", ID).latency_ms
    assert 150 <= waited_ms <= 1000 * (time.monotonic() - begin)


def test_a_refused_picture_is_reported_with_the_reason(client, fake_model):
    fake_model.status = 413
    fake_model.content = {
        "code": 413,
        "type": "TooManyPixels",
        "message": "4097 pixels wide, 4096 are accepted",
    }
    with pytest.raises(ModelError, match="4097 pixels wide"):
        client.predict(b"png", ID)


def test_an_answer_without_a_field_names_the_field(client, fake_model):
    fake_model.content = {name: value for name, value in ANSWER.items() if name != "digit_score"}
    with pytest.raises(ModelError, match="digit_score"):
        client.predict(b"png", ID)


MALFORMED = [
    b"not JSON",
    b"[" * 100_000,
    [],
    {},
    ANSWER | {"digit": "7"},
    ANSWER | {"digit": 10},
    ANSWER | {"confidence": "0.9"},
    ANSWER | {"confidence": float("nan")},
    ANSWER | {"digit_score": 1.5},
    ANSWER | {"probabilities": None},
    ANSWER | {"probabilities": [0.1]},
    ANSWER | {"model_version": ""},
    ANSWER | {"input": 17},
    ANSWER | {"input": ""},
    ANSWER | {"input": "?"},
]


@pytest.mark.parametrize("content", MALFORMED)
def test_a_malformed_answer_is_reported_and_logged(client, fake_model, content, caplog):
    fake_model.content = content
    with pytest.raises(PictureRefusedError, match="page and model versions do not match"):
        client.predict(b"png", ID)
    assert "the model's answer cannot be read" in caplog.text


@pytest.mark.parametrize(
    "wrong", [{"heatmap": [[0.5]]}, {"contrast": [[0.5] * 27] * 28}, {"heatmap": [["x"] * 28] * 28}]
)
def test_a_malformed_explanation_is_reported(client, fake_model, wrong):
    pictures = {"heatmap": [[0.5] * 28] * 28, "contrast": [[0.5] * 28] * 28}
    fake_model.content = {"digit": 7, "runner_up": 1, **pictures, **wrong}
    with pytest.raises(PictureRefusedError, match="page and model versions do not match"):
        client.explain(b"png", ID)
