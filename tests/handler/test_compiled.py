"""The network answers in ONNX Runtime, with the digits that torch gives, and in torch where ONNX Runtime cannot."""

import copy
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from handler.compiled import TOLERANCE, as_tensor, compiled, eager
from handler.model import OUTPUTS, DigitClassifier, folded, restored
from handler.predictor import Predictor
from tests.handler.drawings import drawing
from training.archive import RELEASED_CHECKPOINT

# Logits differ by up to 1e-4 between processors, and by 1 or more between networks.
ROUNDING = 1e-3
NETWORK = RELEASED_CHECKPOINT.with_suffix(".onnx")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def released() -> DigitClassifier:
    return folded(restored(torch.load(RELEASED_CHECKPOINT, weights_only=True)["state_dict"]))


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_it_gives_torchs_logits_for_any_number_of_images(released, count):
    pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    logits = compiled(NETWORK, released)
    assert logits is not None
    assert logits(pixels).shape == (count, 2 * OUTPUTS)  # two opinions
    assert logits(pixels).dtype == np.float32
    assert np.abs(logits(pixels) - eager(released)(pixels)).max() < ROUNDING


def test_the_released_checkpoint_answers_with_it(monkeypatch):
    predictor = Predictor.load(RELEASED_CHECKPOINT, version="1")

    def never(*_):
        raise AssertionError("torch was asked")

    monkeypatch.setattr(DigitClassifier, "forward", never)
    assert predictor.predict([drawing(7)])[0].digit == 7


def _is_left_to_torch(path, released, caplog, why) -> str:
    """Return the log line."""
    with caplog.at_level(logging.WARNING):
        assert compiled(path, released) is None
    [line] = caplog.messages
    assert path.name in line
    assert why in line
    return line


def test_without_a_file_torch_serves(released, tmp_path, caplog):
    _is_left_to_torch(tmp_path / "none.onnx", released, caplog, "No none.onnx")


def test_with_a_damaged_file_torch_serves(released, tmp_path, caplog):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(NETWORK.read_bytes()[:10_000])
    _is_left_to_torch(damaged, released, caplog, "cannot be used")


def test_with_another_networks_file_torch_serves(released, caplog):
    another = copy.deepcopy(released)
    last = another.layers[-1]
    last.bias.data[0] += 1
    line = _is_left_to_torch(NETWORK, another, caplog, "belongs to another network (its logits differ by ")
    [difference] = re.findall(r"differ by ([\d.]+)", line)
    assert float(difference) == pytest.approx(1, abs=TOLERANCE)


def test_with_the_file_of_a_network_that_answers_otherwise_torch_serves(caplog):
    torch.manual_seed(0)
    of_one_opinion = folded(DigitClassifier())
    _is_left_to_torch(
        NETWORK, of_one_opinion, caplog, "belongs to another network (its logits differ by inf)"
    )


def test_where_onnx_runtime_does_not_load_torch_serves(released, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    _is_left_to_torch(NETWORK, released, caplog, "cannot be used")


def test_onnx_runtime_sends_nothing_to_its_makers(tmp_path):
    # What it would send it keeps in the home folder first. In CI, and for pytest, it would not.
    load = f"from handler.compiled import Path, _session; _session(Path({str(NETWORK)!r}))"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", load], cwd=ROOT, env=environment, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_torch_gives_the_same_answers(tmp_path):
    alone = shutil.copyfile(RELEASED_CHECKPOINT, tmp_path / "alone.pt")
    pictures = [drawing(digit) for digit in (2, 4, 7)]
    for slow, fast in zip(
        Predictor.load(alone, version="1").predict(pictures),
        Predictor.load(RELEASED_CHECKPOINT, version="1").predict(pictures),
        strict=True,
    ):
        assert slow.digit == fast.digit
        assert slow.probabilities == pytest.approx(fast.probabilities, abs=ROUNDING)


def test_a_model_takes_ink_one_on_paper_zero():
    pixels = np.kron(np.array([[255, 0], [0, 51]], np.uint8), np.ones((14, 14), np.uint8))
    tensor = as_tensor(np.stack([pixels] * 3))
    assert tensor.shape == (3, 1, 28, 28)
    assert tensor.dtype == torch.float32
    assert tensor[0, 0, 0, 0] == 1
    assert tensor[0, 0, 27, 27] == pytest.approx(0.2)
