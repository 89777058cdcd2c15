"""Many images, a few at a time: a network holds 0.2 MiB between its layers for each that it is asked about at once.

predicted(predictor, images)
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from handler.model import DigitClassifier
from handler.onnx_session import as_tensor
from handler.predictor import Prediction
from training.archived import AnyPredictor

BATCH = 32


def batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """All of them in their order, (N, 28, 28) with N up to BATCH."""
    for first in range(0, len(images), BATCH):
        yield images[first : first + BATCH]


def predicted(predictor: AnyPredictor, images: NDArray[np.uint8]) -> list[Prediction]:
    """What a predictor says of prepared images, uint8 (N, 28, 28)."""
    return [prediction for batch in batches(images) for prediction in predictor.predict_inputs(list(batch))]


def features(model: DigitClassifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network's last layer sees of prepared images, uint8 (N, 28, 28): float32 (N, features)."""
    with torch.inference_mode():
        seen = [model.features(as_tensor(batch)).numpy() for batch in batches(images)]
    return np.concatenate(seen)
