"""Many images, a few at a time: a network holds 0.2 MiB between its layers for each that it is asked about at once.

predicted(predictor, images)
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handler.predictor import Prediction, Predictor

BATCH = 100


def batches(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """All of them in their order, (N, 28, 28) with N up to BATCH."""
    for first in range(0, len(images), BATCH):
        yield images[first : first + BATCH]


def predicted(predictor: Predictor, images: NDArray[np.uint8]) -> list[Prediction]:
    """What a predictor says of prepared images, uint8 (N, 28, 28)."""
    return [prediction for batch in batches(images) for prediction in predictor.predict_inputs(list(batch))]
