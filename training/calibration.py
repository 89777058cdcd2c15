"""How sure a model may say it is: one temperature, and how far off its confidences are.

C. Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

BINS = 15
TEMPERATURES = (0.25, 4.0)
CANDIDATES = 25


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature under which the labels are likeliest; logits float (N, 10), labels int (N,).

    The loss has one minimum: two rounds of candidates find it, the second between the neighbours of the first's best.
    """
    low, high = TEMPERATURES
    for _ in range(2):
        candidates = np.geomspace(low, high, CANDIDATES)
        losses = [F.cross_entropy(logits.double() / temperature, labels).item() for temperature in candidates]
        best = int(np.argmin(losses))
        low, high = candidates[max(best - 1, 0)], candidates[min(best + 1, CANDIDATES - 1)]
    return float(candidates[best])


def confidences(logits: Tensor, temperature: float) -> NDArray[np.float64]:
    """The probability of the most probable digit, (N,)."""
    return torch.softmax(logits.double() / temperature, dim=1).amax(dim=1).numpy()


def expected_calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """The mean distance between confidence and accuracy over BINS equal bins, weighted by their size; 0 to 1."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(confidence[bins == index].sum() - correct[bins == index].sum()) for index in range(BINS)]
    return float(sum(gaps) / len(confidence))
