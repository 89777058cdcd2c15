"""The adapter gives each request of a batch its own answer and status."""

import base64
import contextlib
import io
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from handler import torchserve_handler
from handler.model import DigitClassifier
from handler.torchserve_handler import DigitHandler
from tests.handler.drawings import drawing, encode
from training.archive.pack import RELEASED_CHECKPOINT

ROOT = Path(__file__).parent.parent.parent
PNG = encode(drawing())
PREDICTION = {"digit", "confidence", "probabilities", "is_digit", "digit_score", "model_version", "input"}
EXPLANATION = PREDICTION | {"heatmap", "runner_up", "contrast"}
# As TorchServe 0.12 sends them: the flag `explain` with every request, and the headers of a form field below its name.
PREDICT = {"Content-Type": "image/png", "explain": "False", "body": {"content-type": "image/png"}}
EXPLAIN = {**PREDICT, "explain": "True"}


class Context:
    """The part of ts.context.Context that the adapter uses."""

    def __init__(self, headers: list[Mapping], folder=None, version="1.2") -> None:
        self.headers = headers
        self.statuses: dict[int, tuple[int, str]] = {}
        self.content_types: dict[int, str] = {}
        self.system_properties = {"model_dir": str(folder)}
        self.manifest = {"model": {"serializedFile": "model.pt", "modelVersion": version}}

    def get_all_request_header(self, index):
        return self.headers[index]

    def set_response_status(self, code, phrase, idx):
        self.statuses[idx] = (code, phrase)

    def set_response_content_type(self, index, value):
        self.content_types[index] = value


@pytest.fixture(scope="module")
def handler(tmp_path_factory) -> DigitHandler:
    folder = tmp_path_factory.mktemp("archive")
    torch.manual_seed(0)
    content = {"state_dict": DigitClassifier().state_dict(), "temperature": 1.0, "digit_threshold": 0.05}
    torch.save(content, folder / "model.pt")
    threads = torch.get_num_threads()
    logging.getLogger().setLevel(logging.INFO)  # as a worker starts
    handler = DigitHandler()
    handler.initialize(Context([], folder))
    assert torch.get_num_threads() == 1
    torch.set_num_threads(threads)
    return handler


def test_a_worker_logs_its_runtime_once_and_nothing_for_a_batch(tmp_path, caplog):
    for suffix in (".pt", ".onnx", ".int8.onnx"):
        shutil.copyfile(RELEASED_CHECKPOINT.with_suffix(suffix), tmp_path / f"model{suffix}")
    threads = torch.get_num_threads()
    with caplog.at_level(logging.INFO):  # as a worker starts
        DigitHandler().initialize(Context([], tmp_path))
        assert not logging.getLogger().isEnabledFor(logging.INFO)
    torch.set_num_threads(threads)
    assert re.search(r"(int8|float32) runs the network \(one image: float32 .* ms, int8 .* ms\)", caplog.text)


def answer_batch(handler: DigitHandler, *requests: tuple[Mapping, Mapping]) -> list[tuple[int, dict]]:
    """The status and the answer of each request (row, headers) of a batch."""
    context = Context([headers for _, headers in requests])
    answers = handler.handle([row for row, _ in requests], context)
    assert len(answers) == len(requests)
    assert set(context.content_types.values()) <= {"application/json"}
    assert sorted(context.content_types) == sorted(context.statuses) == list(range(len(requests)))
    return [(context.statuses[index][0], json.loads(answer)) for index, answer in enumerate(answers)]


def image(data: bytes = PNG) -> dict:
    return {"body": bytearray(data)}


def test_a_prediction_has_its_fields(handler):
    [(status, answer)] = answer_batch(handler, (image(), PREDICT))
    assert status == 200
    assert answer.keys() == PREDICTION
    assert answer["model_version"] == "1.2"
    assert answer["is_digit"] is True


def test_an_explanation_has_its_fields(handler):
    [(status, answer)] = answer_batch(handler, (image(), EXPLAIN))
    assert status == 200
    assert answer.keys() == EXPLANATION


def test_answers_are_compact_json_in_bytes(handler):
    context = Context([PREDICT])
    [answer] = handler.handle([image()], context)
    assert type(answer) is bytes
    assert answer == json.dumps(json.loads(answer), separators=(",", ":")).encode()
    assert context.statuses == {0: (200, "OK")}


def test_each_request_of_a_mixed_batch_has_its_own_answer(handler):
    other = encode(drawing(2))
    instances = b'{"instances": [{"image": "%s"}, {"image": "%s"}]}' % (_base64(PNG), _base64(other))
    batch = [
        (image(PNG), PREDICT),
        (image(b"no image"), PREDICT),
        (image(PNG), EXPLAIN),
        (image(PNG[:200]), EXPLAIN),
        (image(instances), {**PREDICT, "Content-Type": "application/json"}),
        ({}, {**PREDICT, "Content-Type": "multipart/form-data; boundary=x"}),
        (image(other), PREDICT),
        (image(instances), {**EXPLAIN, "Content-Type": "application/json"}),
        ({"data": bytearray(PNG)}, {**PREDICT, "Content-Type": "multipart/form-data; boundary=x"}),
    ]
    together = answer_batch(handler, *batch)
    assert [status for status, _ in together] == [200, 400, 200, 400, 200, 400, 200, 200, 200]
    seven, two = together[0][1], together[6][1]
    assert seven["input"] != two["input"]
    assert [answer["input"] for answer in together[4][1]["predictions"]] == [seven["input"], two["input"]]
    assert [answer.keys() for answer in together[7][1]["predictions"]] == [EXPLANATION] * 2
    assert together[8][1]["input"] == seven["input"]
    for request, (status, answer) in zip(batch, together, strict=True):
        [(status_alone, alone)] = answer_batch(handler, request)
        assert status == status_alone
        _assert_same(answer, alone)


FORM = {
    **PREDICT,
    "Content-Type": "application/octet-stream",
    "X-Content-Type": "multipart/form-data; boundary=x",
}


def test_a_form_is_read_by_the_media_type_that_its_client_declared(handler):
    whole = b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n' + PNG + b"\r\n--x--\r\n"
    good, cut = answer_batch(handler, (image(whole), FORM), (image(whole[:-10]), FORM))
    assert good[1]["input"] == answer_batch(handler, (image(), PREDICT))[0][1]["input"]
    assert (cut[0], cut[1]["type"]) == (400, "BrokenForm")


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"hello",
        PNG[:100],
        b'{"image": 1}',
        b'{"a":' * 9999,
        b"BM" + bytes(999),
        PNG[:60] + b"\0" + PNG[61:],
    ],
    ids=["empty", "text", "cut", "json", "deep", "bitmap", "damaged"],
)
def test_a_bad_request_does_not_change_the_others(handler, bad):
    [good, refused, also_good] = answer_batch(
        handler, (image(), PREDICT), (image(bad), PREDICT), (image(), EXPLAIN)
    )
    assert refused[0] == 400
    assert refused[1].keys() == {"code", "type", "message"}
    _assert_same(good[1], answer_batch(handler, (image(), PREDICT))[0][1])
    _assert_same(also_good[1], answer_batch(handler, (image(), EXPLAIN))[0][1])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/octet-stream", "X-Content-Type": "text/plain"}, 415),
        ({"content-type": "application/octet-stream", "x-content-type": "text/plain"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "text/plain", "X-Content-Type": "application/octet-stream"}, 400),
        ({}, 400),
    ],
)
def test_the_client_s_media_type_counts(handler, headers, status):
    [(code, answer)] = answer_batch(handler, (image(b"hello"), headers))
    assert code == answer["code"] == status


def test_a_too_large_image_is_refused_with_413(handler):
    [(status, answer)] = answer_batch(handler, (image(encode(Image.new("1", (4097, 1)))), PREDICT))
    assert status == answer["code"] == 413


@pytest.mark.parametrize("headers", [{**PREDICT, "explain": value} for value in ("False", "false", "", "no")])
def test_without_explain_true_it_is_a_prediction(handler, headers):
    assert answer_batch(handler, (image(), headers))[0][1].keys() == PREDICTION


def test_an_unexpected_error_affects_one_row_and_quotes_no_client_data(handler, monkeypatch, caplog):
    read = torchserve_handler.read_body

    def fails_for_some(row, content_type):
        if row["body"].startswith(b"trap"):
            raise RuntimeError(f"cannot read {row['body']!r}")
        return read(row, content_type)

    monkeypatch.setattr(torchserve_handler, "read_body", fails_for_some)
    with caplog.at_level(logging.ERROR):
        good, failed = answer_batch(handler, (image(), PREDICT), (image(b"trap: my secret"), PREDICT))
    assert good[0] == 200
    assert failed[0] == failed[1]["code"] == 500
    assert failed[1].keys() == {"code", "type", "message"}
    assert "Traceback" not in json.dumps(failed[1])
    assert "RuntimeError" in caplog.text
    assert "fails_for_some" in caplog.text
    assert "secret" not in caplog.text + json.dumps(failed[1])


IDS = {"x-request-id": "mine", "X-Drawing-Id": "6f1f6c1e-52a5-4f0b-9a0e-0d5f0f6f7a11"}


@pytest.mark.parametrize("fails", ["read_body", "explain"])
def test_a_failure_is_logged_with_the_ids_of_its_request(handler, monkeypatch, caplog, fails):
    monkeypatch.setattr(torchserve_handler, fails, lambda *_: 1 / 0)
    [(status, _)] = answer_batch(handler, (image(), EXPLAIN | IDS))
    assert status == 500
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert (record.request_id, record.drawing_id) == tuple(IDS.values())


def test_only_a_slow_batch_is_logged_with_the_ids_of_its_requests(handler, monkeypatch, caplog):
    requests = (image(), PREDICT | IDS), (image(), PREDICT)
    monkeypatch.setattr(torchserve_handler, "SLOW_MS", 60_000)
    answer_batch(handler, *requests)
    assert caplog.records == []
    monkeypatch.setattr(torchserve_handler, "SLOW_MS", 0)
    answer_batch(handler, *requests)
    of_one, of_other = caplog.records
    assert (of_one.request_id, of_one.drawing_id) == tuple(IDS.values())
    assert not hasattr(of_other, "request_id")
    assert re.fullmatch(r"slow: a batch of 2 took \d+ ms", of_one.getMessage())


def test_the_log_of_a_worker_is_json_with_its_version(handler, tmp_path):
    output = logging.StreamHandler(io.StringIO())
    logging.getLogger().addHandler(output)  # as a worker has one
    threads = torch.get_num_threads()
    try:
        shutil.copyfile(RELEASED_CHECKPOINT, tmp_path / "model.pt")
        DigitHandler().initialize(Context([], tmp_path, "1.9"))
        torchserve_handler.logger.warning("a warning")
    finally:
        logging.getLogger().removeHandler(output)
        torch.set_num_threads(threads)
    line = json.loads(output.stream.getvalue().splitlines()[-1])
    assert (line["part"], line["model_version"], line["message"]) == ("handler", "1.9", "a warning")


def test_an_explanation_is_not_measured_as_a_prediction(handler, monkeypatch):
    stages = []
    monkeypatch.setattr(handler, "stage_times", lambda stage: contextlib.nullcontext(stages.append(stage)))
    handler.handle([{"body": PNG}], Context([EXPLAIN]))
    assert stages == ["preprocess"]


def test_predictions_are_answered_when_explaining_fails(handler, monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("out of order")

    monkeypatch.setattr(torchserve_handler, "explain", fails)
    with caplog.at_level(logging.ERROR):
        statuses = [
            s
            for s, _ in answer_batch(handler, (image(), PREDICT), (image(), EXPLAIN), (image(b"x"), EXPLAIN))
        ]
    assert statuses == [200, 500, 400]


def test_a_worker_warms_up_before_it_is_ready(tmp_path, monkeypatch):
    batches = []
    predict = torchserve_handler.Predictor.predict_inputs

    def count(predictor, inputs):
        batches.append(len(inputs))
        return predict(predictor, inputs)

    monkeypatch.setattr(torchserve_handler.Predictor, "predict_inputs", count)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    content = {"state_dict": DigitClassifier().state_dict(), "temperature": 1.0, "digit_threshold": 0.5}
    torch.save(content, tmp_path / "model.pt")
    DigitHandler().initialize(Context([], tmp_path))
    assert batches == list(torchserve_handler.WARM_UP_BATCHES)


# In a new process, because another test can have imported captum in this one.
FIRST_EXPLANATION = """
import sys
from tests.handler.test_torchserve_handler import EXPLAIN, Context, DigitHandler, answer_batch, image

handler = DigitHandler()
handler.initialize(Context([], sys.argv[1]))
print(sorted({"captum", "matplotlib"} & sys.modules.keys()))
answer_batch(handler, (image(), EXPLAIN))
print("captum" in sys.modules)
"""


def test_captum_is_imported_by_the_first_explanation(tmp_path):
    shutil.copyfile(RELEASED_CHECKPOINT, tmp_path / "model.pt")
    command = [sys.executable, "-c", FIRST_EXPLANATION, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True"]


def test_a_worker_logs_warnings_and_no_information(handler):
    for name in ("", "ts.metrics.caching_metric"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)


def test_torchserve_finds_one_class_in_the_file():
    classes = [
        value
        for value in vars(torchserve_handler).values()
        if isinstance(value, type) and value.__module__ == torchserve_handler.__name__
    ]
    assert classes == [DigitHandler]


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data)


def _assert_same(one: object, other: object) -> None:
    """The same answer except for the last digits of floats, which depend on the batch size."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        for key in one:
            _assert_same(one[key], other[key])
    elif isinstance(one, list) and one and not isinstance(one[0], dict):
        assert np.array(one) == pytest.approx(np.array(other), abs=2e-3)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-4)
    elif isinstance(one, list):
        for left, right in zip(one, other, strict=True):
            _assert_same(left, right)
    else:
        assert one == other
