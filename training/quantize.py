"""Quantize a network to int8: post-training static quantization by ONNX Runtime, a file beside the float32 one.

    quantize(Path("runs/latest.onnx"), calibration_images())     # writes runs/latest.int8.onnx

Each layer's activations get 8 bits, by the range that they have on the calibration images (B. Jacob et al.,
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
from training import data
from training.batches import batches
from training.strokes.generate import generate_drawings

# So many of MNIST's training set and as many generated drawings, this share of them no digits. With three times as
# many, no validation accuracy changed by more than 0.05 points.
IMAGES = 500
NONE_SHARE = 0.4


@cache
def calibration_images() -> NDArray[np.uint8]:
    """Prepared images, uint8 (N, 28, 28), the same every time. Raises DataError where MNIST is missing."""
    mnist = data.load(train=True).images
    chosen = np.random.default_rng(0).permutation(len(mnist))[:IMAGES]
    return np.concatenate([mnist[chosen], generate_drawings(IMAGES, seed=0, outliers=NONE_SHARE).images])


def quantize(network: Path, images: NDArray[np.uint8]) -> Path:
    """Write the int8 file of a float32 ONNX file, which it names by its SHA-256; gives back its path."""
    path = network.with_suffix(INT8)
    unfinished = path.with_name(f"{path.name}.unfinished")
    logging.disable(logging.WARNING)  # it would have the network optimized first, which changes nothing here
    quantize_static(
        network,
        unfinished,
        _Calibration(images),
        # The last layer takes no time, and rounding its logits would double the error: it stays in float32.
        op_types_to_quantize=["Conv", "Relu", "MaxPool"],
        activation_type=QuantType.QUInt8,
        per_channel=True,
        # Weights of 7 bits: processors without VNNI add two products in 16 bits, which those of 8 bits overflow. With
        # 8 bits such a processor gave 3 % of the digits otherwise, with 7 all give the same logits.
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
