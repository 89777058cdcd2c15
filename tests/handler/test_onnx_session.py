"""ONNX Runtime runs the network in the faster data type; PyTorch runs it if ONNX Runtime cannot."""

import copy
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from handler import onnx_session
from handler.model import OUTPUTS, DigitClassifier, fold_batch_norm, restore_model
from handler.onnx_session import INT8, TOLERANCE, as_tensor, eager, load_sessions, pick_fastest
from handler.predictor import Predictor
from handler.preprocessing import preprocess
from tests.handler.drawings import drawing
from training.archive.pack import RELEASED_CHECKPOINT

# Logits differ by up to 1e-4 between processors, and by 1 or more between networks.
ROUNDING = 1e-3
NETWORK = RELEASED_CHECKPOINT.with_suffix(".onnx")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def released() -> DigitClassifier:
    return fold_batch_norm(restore_model(torch.load(RELEASED_CHECKPOINT, weights_only=True)["state_dict"]))


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_logits_equal_those_of_torch_for_any_number_of_images(released, count):
    pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    sessions = load_sessions(NETWORK, released)
    for logits in sessions.values():
        assert logits(pixels).shape == (count, OUTPUTS)
        assert logits(pixels).dtype == np.float32
    assert np.abs(sessions["float32"](pixels) - eager(released)(pixels)).max() < ROUNDING


def test_int8_logits_are_close_to_float32_logits(released):
    pixels = np.stack(
        [preprocess(drawing(digit, brush=brush)) for digit in (2, 4, 7) for brush in (8, 18, 30)]
    )
    sessions = load_sessions(NETWORK, released)
    difference = np.abs(sessions["int8"](pixels) - sessions["float32"](pixels))
    # No difference would mean the float32 network. Measured on 3,000 images: 0.1 in the mean, 1.1 at most.
    assert 0.01 < difference.mean() < 0.5
    assert difference.max() < 3


def test_the_released_checkpoint_predicts_without_torch(monkeypatch):
    predictor = Predictor.load(RELEASED_CHECKPOINT, version="1")

    def never(*_):
        raise AssertionError("torch ran the network")

    monkeypatch.setattr(DigitClassifier, "forward", never)
    assert predictor.predict([drawing(7)])[0].digit == 7


@pytest.fixture
def copied(tmp_path) -> Path:
    """The float32 file of a copy of both files."""
    for suffix in (".onnx", INT8):
        shutil.copyfile(NETWORK.with_suffix(suffix), tmp_path / f"copied{suffix}")
    return tmp_path / "copied.onnx"


def _serves(path, model, caplog, *names: str, refused: str, why: str) -> str:
    """Check which sessions are loaded; return the log line."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert [*load_sessions(path, model)] == [*names]
    [line] = caplog.messages
    assert line.startswith(f"{refused} cannot be used ({why}")
    assert line.endswith(f": {'float32' if names else 'PyTorch'} runs the network.")
    return line


def test_without_a_file_torch_serves(released, tmp_path, caplog):
    _serves(tmp_path / "none.onnx", released, caplog, refused="none.onnx", why="NoSuchFile")


def test_with_a_damaged_file_torch_serves(released, copied, caplog):
    copied.write_bytes(copied.read_bytes()[:10_000])
    _serves(copied, released, caplog, refused="copied.onnx", why="InvalidProtobuf")


def test_with_another_networks_file_torch_serves(released, caplog):
    another = copy.deepcopy(released)
    last = another.layers[-1]
    last.bias.data[0] += 1
    why = "it belongs to another network: its logits differ by "
    line = _serves(NETWORK, another, caplog, refused=NETWORK.name, why=why)
    [difference] = re.findall(r"differ by ([\d.]+)", line)
    assert float(difference) == pytest.approx(1, abs=TOLERANCE)


def test_with_the_file_of_a_network_with_other_outputs_torch_serves(caplog):
    earlier = RELEASED_CHECKPOINT.with_name("mnist-1.4.pt")  # 22 outputs
    network = fold_batch_norm(restore_model(torch.load(earlier, weights_only=True)["state_dict"]))
    why = "it belongs to another network: its logits differ by inf"
    _serves(NETWORK, network, caplog, refused=NETWORK.name, why=why)


def test_without_onnx_runtime_torch_serves(released, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    _serves(NETWORK, released, caplog, refused=NETWORK.name, why="ModuleNotFoundError")


def test_without_a_usable_int8_file_float32_serves(released, copied, caplog):
    int8 = copied.with_suffix(INT8)
    int8.write_bytes(int8.read_bytes()[:10_000])
    _serves(copied, released, caplog, "float32", refused=int8.name, why="InvalidProtobuf")
    int8.unlink()
    _serves(copied, released, caplog, "float32", refused=int8.name, why="NoSuchFile")


def test_with_the_int8_file_of_another_network_float32_serves(released, copied, caplog):
    refusal = {"refused": "copied.int8.onnx", "why": "it was not made from copied.onnx"}
    # As another export of the same weights: ONNX ignores the two bytes more.
    copied.write_bytes(copied.read_bytes() + b"\x32\x00")
    _serves(copied, released, caplog, "float32", **refusal)
    shutil.copyfile(NETWORK, copied.with_suffix(INT8))
    _serves(copied, released, caplog, "float32", **refusal)


@pytest.mark.parametrize("slow", ["float32", "int8"])
def test_the_faster_file_is_used_and_the_times_are_logged(released, monkeypatch, caplog, slow):
    session = onnx_session._session

    def slow_session(path: Path, *made_from: Path) -> onnx_session.Logits:
        logits = session(path, *made_from)
        if path.name.endswith(INT8) != (slow == "int8"):
            return logits
        return lambda pixels: time.sleep(0.05) or logits(pixels)

    monkeypatch.setattr(onnx_session, "_session", slow_session)
    with caplog.at_level(logging.INFO):
        predictor = Predictor.load(RELEASED_CHECKPOINT, version="1")
    fastest = {"float32": "int8", "int8": "float32"}[slow]
    assert predictor.runtime == fastest
    assert re.fullmatch(
        rf"{fastest} runs the network \(one image: float32 [\d.]+ ms, int8 [\d.]+ ms\)\.", caplog.messages[-1]
    )
    assert Predictor.load(RELEASED_CHECKPOINT, "1", slow).runtime == slow


def test_without_sessions_torch_is_the_fastest():
    assert pick_fastest({}) == "torch"


def test_onnx_runtime_reports_nothing_to_microsoft(tmp_path):
    # It keeps reports in the home folder first, but not in CI and not under pytest: hence another process.
    load = f"from pathlib import Path; from handler.onnx_session import _session; _session(Path({str(NETWORK)!r}))"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", load], cwd=ROOT, env=environment, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))


def test_torch_and_onnx_runtime_give_the_same_answers(tmp_path):
    alone = shutil.copyfile(RELEASED_CHECKPOINT, tmp_path / "alone.pt")
    pictures = [drawing(digit) for digit in (2, 4, 7)]
    for slow, fast in zip(
        Predictor.load(alone, version="1").predict(pictures),
        Predictor.load(RELEASED_CHECKPOINT, "1", "float32").predict(pictures),
        strict=True,
    ):
        assert slow.digit == fast.digit
        assert slow.probabilities == pytest.approx(fast.probabilities, abs=ROUNDING)


def test_the_input_tensor_has_ink_1_on_paper_0():
    pixels = np.kron(np.array([[255, 0], [0, 51]], np.uint8), np.ones((14, 14), np.uint8))
    tensor = as_tensor(np.stack([pixels] * 3))
    assert tensor.shape == (3, 1, 28, 28)
    assert tensor.dtype == torch.float32
    assert tensor[0, 0, 0, 0] == 1
    assert tensor[0, 0, 27, 27] == pytest.approx(0.2)
