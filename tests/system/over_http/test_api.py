"""The REST API through the gateway, as a program uses it."""

import base64
import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from PIL import Image

from ops.versions.state import RELEASED
from tests.system.running import RunningSystem

KNOWN_DIGITS = Path(__file__).parent.parent.parent.parent / "training" / "known_digits"
SEVEN = (KNOWN_DIGITS / "7.png").read_bytes()
FIELDS = {"digit", "confidence", "probabilities", "is_digit", "digit_score", "model_version", "input"}


def _base64(png: bytes) -> str:
    return base64.b64encode(png).decode()


def _as(picture_format: str, **options) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(SEVEN)).convert("L").save(file, picture_format, **options)
    return file.getvalue()


def _assert_is_seven(answer: dict) -> None:
    assert answer.keys() == FIELDS
    assert answer["digit"] == 7
    assert answer["is_digit"] is True
    assert answer["model_version"] == RELEASED
    assert answer["confidence"] == max(answer["probabilities"]) == answer["probabilities"][7]
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert len(base64.b64decode(answer["input"])) == 28 * 28


@pytest.mark.parametrize("path", ["/predictions/mnist", "/predict"])
@pytest.mark.parametrize(
    "content_type", ["image/png", "application/octet-stream", "application/x-www-form-urlencoded", None]
)
def test_raw_bytes_are_read_with_any_content_type(system: RunningSystem, path, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    response = requests.post(system.address + path, data=SEVEN, headers=headers, timeout=30)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    _assert_is_seven(response.json())


def test_the_answer_has_the_request_id_of_the_client(system: RunningSystem):
    assert system.predict(SEVEN, **{"X-Request-Id": "mine"}).headers["X-Request-Id"] == "mine"


@pytest.mark.parametrize("picture_format", ["PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP"])
def test_every_format_is_read(system: RunningSystem, picture_format):
    _assert_is_seven(system.predict(_as(picture_format)).json())


def test_a_multipart_field_is_read(system: RunningSystem):
    response = requests.post(f"{system.address}/predictions/mnist", files={"data": SEVEN}, timeout=30)
    _assert_is_seven(response.json())


@pytest.mark.parametrize("name", ["file", "image", "\N{SNOWMAN}"])
def test_the_only_file_of_a_form_is_read(system: RunningSystem, name):
    response = requests.post(
        f"{system.address}/predictions/mnist", files={name: SEVEN}, data={"comment": "a seven"}, timeout=30
    )
    _assert_is_seven(response.json())


@pytest.mark.parametrize(
    "instance",
    [
        {"b64": _base64(SEVEN)},
        {"image_bytes": {"b64": _base64(SEVEN)}},
        {"data": _base64(SEVEN), "target": 0},
    ],
    ids=["TensorFlow Serving", "KServe", "TorchServe"],
)
def test_json_of_other_servers_is_read(system: RunningSystem, instance):
    body = {"instances": [instance]}
    response = requests.post(f"{system.address}/predictions/mnist", json=body, timeout=30)
    [answer] = response.json()["predictions"]
    _assert_is_seven(answer)


@pytest.mark.parametrize("declared", [None, "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_base64_as_the_body_is_read(system: RunningSystem, prefix, declared):
    headers = {"Content-Type": declared} if declared else {}
    _assert_is_seven(system.predict((prefix + _base64(SEVEN)).encode(), **headers).json())


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_json_is_read(system: RunningSystem, prefix):
    body = {"image": prefix + _base64(SEVEN)}
    response = requests.post(f"{system.address}/predictions/mnist", json=body, timeout=30)
    _assert_is_seven(response.json())


def test_sixty_four_instances_are_answered_in_their_order(system: RunningSystem):
    digits = [index % 10 for index in range(64)]
    pictures = [_base64((KNOWN_DIGITS / f"{digit}.png").read_bytes()) for digit in digits]
    body = {"instances": [{"image": picture} for picture in pictures]}
    response = requests.post(f"{system.address}/predictions/mnist", json=body, timeout=30)
    assert response.status_code == 200
    assert [answer["digit"] for answer in response.json()["predictions"]] == digits


def test_an_explanation_has_two_heat_maps_and_the_runner_up(system: RunningSystem):
    response = requests.post(f"{system.address}/explanations/mnist", data=SEVEN, timeout=30)
    answer = response.json()
    assert answer.keys() == FIELDS | {"heatmap", "runner_up", "contrast"}
    for name in ("heatmap", "contrast"):
        assert [len(row) for row in answer[name]] == [28] * 28
        values = [value for row in answer[name] for value in row]
        assert min(values) >= -1
        assert max(values) <= 1
        assert any(values)
    assert answer["runner_up"] != 7
    assert answer["runner_up"] in range(10)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (b"", {}, 400),
        (b"a", {}, 400),
        (SEVEN[: len(SEVEN) // 2], {}, 400),
        (b'{"image": "***"}', {"Content-Type": "application/json"}, 400),
        (b'{"image": ', {"Content-Type": "application/json"}, 400),
        (b'{"images": "aGVsbG8="}', {"Content-Type": "application/json"}, 400),
        (b"hello", {"Content-Type": "text/plain"}, 415),
        (b"\x00" * (5 * 1024 * 1024 + 1), {}, 413),
    ],
)
def test_an_error_is_json_with_a_message(system: RunningSystem, body, headers, code):
    response = system.predict(body, **headers)
    assert response.status_code == code
    answer = response.json()
    assert answer.keys() == {"code", "type", "message"}
    assert answer["code"] == code
    assert len(answer["message"]) > 20
    assert "Traceback" not in response.text


def test_a_picture_of_too_many_pixels_is_refused(system: RunningSystem):
    file = io.BytesIO()
    Image.new("1", (4097, 1)).save(file, "PNG")
    response = system.predict(file.getvalue())
    assert response.status_code == 413
    assert "4097" in response.json()["message"]


def test_bad_requests_do_not_affect_concurrent_requests(system: RunningSystem):
    bodies = [SEVEN if index % 3 else b"not an image" for index in range(96)]
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(system.predict, bodies))
    for body, response in zip(bodies, responses, strict=True):
        if body == SEVEN:
            _assert_is_seven(response.json())
        else:
            assert response.status_code == 400


def test_a_blank_is_no_digit(system: RunningSystem):
    file = io.BytesIO()
    Image.new("L", (280, 280), 255).save(file, "PNG")
    answer = system.predict(file.getvalue()).json()
    assert answer["is_digit"] is False
    assert answer["digit_score"] == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_the_answer_to_a_wrong_method_names_the_right_one(system: RunningSystem, method):
    response = requests.request(method, f"{system.address}/predictions/mnist", timeout=30)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert response.json()["code"] == 405


def test_ping_reports_a_healthy_model(system: RunningSystem):
    response = requests.get(f"{system.address}/ping", timeout=30)
    assert response.status_code == 200
    assert response.json() == {"status": "Healthy"}


def test_the_api_serves_its_description(system: RunningSystem):
    document = requests.get(f"{system.address}/openapi.json", timeout=30).json()
    assert document["openapi"].startswith("3.1")
    assert {"/predictions/mnist", "/predict", "/explanations/mnist", "/ping"} <= document["paths"].keys()


@pytest.mark.parametrize("listener", ["public", "inner"])
@pytest.mark.parametrize(
    "path",
    ["/models", "/models/mnist", "/models/mnist/1.0", "/metrics", "/api-description", "/predictions/other",
     "/predictions/mnist/1.0", "/predictions/../models", "/predictions/%2e%2e/models"],
)  # fmt: skip
def test_no_listener_serves_management_or_metrics(system: RunningSystem, listener, path):
    address = system.address if listener == "public" else system.system.inner_url
    for method in ("GET", "POST", "DELETE", "PUT"):
        request = requests.Request(method, address).prepare()
        request.url = f"{address}{path}"  # unchanged: requests would resolve the dots
        with requests.Session() as session:
            trusted = session.merge_environment_settings(address, {}, None, None, None)
            response = session.send(request, timeout=30, verify=trusted["verify"])
        assert "modelVersion" not in response.text
        assert "ts_inference" not in response.text
        assert response.status_code in (400, 404, 405), response.text


def test_a_request_with_an_arbitrary_drawing_id_is_answered(system: RunningSystem):
    for drawing_id in (str(uuid.uuid4()), "x" * 500, "'; DROP TABLE predictions; --"):
        _assert_is_seven(system.predict(SEVEN, **{"X-Drawing-Id": drawing_id}).json())


def test_an_image_that_a_program_posts_is_not_stored(system: RunningSystem):
    drawing_id = str(uuid.uuid4())
    _assert_is_seven(system.predict(SEVEN, **{"X-Drawing-Id": drawing_id}).json())
    assert system.rows("SELECT count(*) FROM predictions WHERE id = %s", drawing_id) == [(0,)]


def test_answers_are_compact_json(system: RunningSystem):
    text = system.predict(SEVEN).text
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
