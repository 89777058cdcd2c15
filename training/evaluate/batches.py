"""Predict many images in small batches: activations take 0.2 MiB for each image in a batch.

predict_all(predictor, images)
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from handler.model import DigitClassifier
from handler.onnx_session import as_tensor
from handler.predictor import Prediction
from training.evaluate.archived_predictor import AnyPredictor

BATCH = 32


def batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the images in order, (N, 28, 28) with N up to BATCH."""
    for first in range(0, len(images), BATCH):
        yield images[first : first + BATCH]


def predict_all(predictor: AnyPredictor, images: NDArray[np.uint8]) -> list[Prediction]:
    """Predict prepared images, uint8 (N, 28, 28)."""
    return [prediction for batch in batches(images) for prediction in predictor.predict_inputs(list(batch))]


def features(model: DigitClassifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Inputs of the last layer, float32 (N, features), for prepared images, uint8 (N, 28, 28)."""
    with torch.inference_mode():
        vectors = [model.features(as_tensor(batch)).numpy() for batch in batches(images)]
    return np.concatenate(vectors)
