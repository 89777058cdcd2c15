"""The accuracy of the served model over HTTP through the gateway, including preprocessing."""

import base64
import importlib.util
import io
import json
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from ops.versions.state import RELEASED
from tests.system.running import RunningSystem

ROOT = Path(__file__).parent.parent.parent.parent
MNIST = ROOT / "data" / "MNIST" / "raw"
DRAWN = ROOT.parent / "shared" / "drawn" / "drawn.py"
INSTANCES = 64


def _predict(system: RunningSystem, images: np.ndarray) -> np.ndarray:
    """The predicted digits of uint8 images (N, H, W)."""
    digits = []
    with requests.Session() as session:
        for first in range(0, len(images), INSTANCES):
            body = {"instances": [{"image": _png(image)} for image in images[first : first + INSTANCES]]}
            response = session.post(f"{system.address}/predictions/mnist", json=body, timeout=60)
            assert response.status_code == 200, response.text
            digits += [answer["digit"] for answer in response.json()["predictions"]]
    return np.array(digits)


def _png(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


def test_mnist_test_images_have_the_published_accuracy(system: RunningSystem):
    if not (MNIST / "t10k-images-idx3-ubyte").exists():
        pytest.skip("MNIST is not in data/; 'make data' fetches it")
    images = np.fromfile(MNIST / "t10k-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.fromfile(MNIST / "t10k-labels-idx1-ubyte", np.uint8, offset=8)
    assert len(images) == len(labels) == 10_000
    _assert_published_accuracy(system, images, labels, "mnist_test", tolerance=10)


def test_real_drawings_have_the_published_accuracy(system: RunningSystem):
    _assert_published_accuracy(system, *_pendigits(), "pendigits_reporting", tolerance=12)


def _pendigits() -> tuple[np.ndarray, np.ndarray]:
    """Digits by the six writers whom no model learns from."""
    if not DRAWN.exists():
        pytest.skip("there is no ../shared/drawn; put its drawn.py and data there")
    spec = importlib.util.spec_from_file_location("drawn", DRAWN)
    drawn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawn)
    images, labels = drawn.pendigits(writers="reporting")
    return np.stack(images), np.array(labels)


def _assert_published_accuracy(
    system: RunningSystem, images: np.ndarray, labels: np.ndarray, name: str, tolerance: int
) -> None:
    """At most `tolerance` fewer images are right than in the JSON of the release.

    The answers to two or three ambiguous images depend on the processor's rounding.
    """
    released = json.loads(
        (ROOT / "training" / "release" / f"mnist-{RELEASED}.json").read_text(encoding="utf-8")
    )
    expected = released["measured"][name]["accuracy"] * len(images)
    assert np.count_nonzero(_predict(system, images) == labels) >= expected - tolerance
