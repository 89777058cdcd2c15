"""The int8 file is deterministic, names its source, and is calibrated on training data."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from handler.onnx_session import SOURCE, sha256
from tests.training import synthetic
from training.archive.pack import RELEASED_CHECKPOINT
from training.data import mnist as data
from training.train import quantize

NETWORK = RELEASED_CHECKPOINT.with_suffix(".onnx")
# ONNX Runtime reads the variable at its import.
PRINT_AT_IMPORT = """
import os, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "onnxruntime":
            sys.exit("telemetry disabled: " + os.environ.get("ORT_DISABLE_TELEMETRY", "no"))

sys.meta_path.insert(0, Finder())
import training.train.quantize
"""


@pytest.fixture
def network(tmp_path) -> Path:
    return shutil.copyfile(NETWORK, tmp_path / "network.onnx")


def test_it_is_deterministic_and_a_third_of_the_size(network):
    path = quantize.quantize(network, synthetic.calibration_images())
    first = path.read_bytes()
    assert quantize.quantize(network, synthetic.calibration_images()).read_bytes() == first
    assert [path.name for path in sorted(network.parent.iterdir())] == ["network.int8.onnx", "network.onnx"]
    assert len(first) < network.stat().st_size / 3


@pytest.mark.parametrize("made", ["anew", "released"])
def test_it_names_its_source_and_its_weights_have_seven_bits(network, made):
    path = RELEASED_CHECKPOINT.with_suffix(".int8.onnx")
    if made == "anew":
        path = quantize.quantize(network, synthetic.calibration_images())
    content = onnx.load(path)
    assert {entry.key: entry.value for entry in content.metadata_props}[SOURCE] == sha256(NETWORK)
    weights = [numpy_helper.to_array(tensor) for tensor in content.graph.initializer]
    kernels = [weight for weight in weights if weight.dtype == np.int8 and weight.ndim == 4]
    assert len(kernels) == 5  # the convolutions
    # Two products with a uint8 must fit 16 bits: 2 * 64 * 255 < 32768.
    assert max(int(np.abs(kernel.astype(int)).max()) for kernel in kernels) <= 64


def test_calibration_images_are_from_mnist_training_and_the_generator(monkeypatch):
    asked = []
    monkeypatch.setattr(data, "load", lambda *, train: asked.append(train) or synthetic.digits(30))
    monkeypatch.setattr(quantize, "IMAGES", 20)
    images = quantize.calibration_images.__wrapped__()
    assert asked == [True]
    assert images.shape == (40, 28, 28)
    assert images.dtype == np.uint8
    assert np.array_equal(images, quantize.calibration_images.__wrapped__())
    mnist = {image.tobytes() for image in synthetic.digits(30).images}
    assert [image.tobytes() in mnist for image in images] == [True] * 20 + [False] * 20


@pytest.mark.service
def test_onnx_runtime_sends_no_reports():
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_AT_IMPORT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == "telemetry disabled: 1\n"
