"""One thread, and the released model."""

import pytest
import torch

from handler.predictor import Predictor
from training.archive.pack import RELEASED_CHECKPOINT


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small batches gain nothing from more, and on a busy machine threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return Predictor.load(RELEASED_CHECKPOINT, version="1.0")
