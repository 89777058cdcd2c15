"""A predictor with a small model, whose answers are easy to compute in a test."""

import pytest
import torch
from torch import Tensor, nn

from handler.predictor import Predictor


class QuadrantModel(nn.Module):
    """Logits 0 to 3: the ink in each quarter of the image (top left, top right, bottom left, bottom right)."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(40.0))

    def forward(self, drawings: Tensor) -> Tensor:
        quarters = nn.functional.adaptive_avg_pool2d(drawings, 2).flatten(1)
        return nn.functional.pad(quarters * self.sharpness, (0, 6))


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(QuadrantModel(), temperature=2.0, digit_threshold=0.5, version="7.3")
