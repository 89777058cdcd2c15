"""Quantize a network to int8 by ONNX Runtime's post-training static quantization, beside the float32 file.

    quantize(Path("runs/latest.onnx"), calibration_images())     # writes runs/latest.int8.onnx

Activations get 8 bits; the calibration images determine their range in each layer (B. Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018).
"""

import logging
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from handler.onnx_session import INT8, SOURCE, sha256
from training.data import mnist as data
from training.evaluate.batches import batches
from training.strokes.generate import generate_drawings

# MNIST training images, and as many generated drawings with this share of non-digits. Three times as many changed no
# validation accuracy by more than 0.05 percentage points.
IMAGES = 500
NONE_SHARE = 0.4


@cache
def calibration_images() -> NDArray[np.uint8]:
    """Prepared images, uint8 (N, 28, 28), deterministic. Raises DataError if MNIST is missing."""
    mnist = data.load(train=True).images
    chosen = np.random.default_rng(0).permutation(len(mnist))[:IMAGES]
    return np.concatenate([mnist[chosen], generate_drawings(IMAGES, seed=0, outliers=NONE_SHARE).images])


def quantize(network: Path, images: NDArray[np.uint8]) -> Path:
    """Write the int8 file of a float32 ONNX file, with the SHA-256 of the latter; return its path."""
    path = network.with_suffix(INT8)
    unfinished = path.with_name(f"{path.name}.unfinished")
    logging.disable(logging.WARNING)  # it recommends an optimization that changes nothing here
    quantize_static(
        network,
        unfinished,
        _Calibration(images),
        # The last layer stays in float32: it takes no time, and rounding its logits doubles the error.
        op_types_to_quantize=["Conv", "Relu", "MaxPool"],
        activation_type=QuantType.QUInt8,
        per_channel=True,
        # Weights of 7 bits: processors without VNNI add two products in 16 bits, and 8 bits overflow. With 8 bits, such
        # a processor changed 3 % of the digits; with 7 bits, all processors give the same logits.
        reduce_range=True,
    )
    logging.disable(logging.NOTSET)
    content = onnx.load(unfinished)
    onnx.helper.set_model_props(content, {SOURCE: sha256(network)})
    onnx.save(content, unfinished)
    return unfinished.replace(path)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.batches = batches(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(({"pixels": batch} for batch in self.batches), None)
