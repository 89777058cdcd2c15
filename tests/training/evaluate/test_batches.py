"""Images are predicted in small batches, and none is lost."""

import numpy as np
import pytest

from tests.training import synthetic
from training.evaluate import behaviour
from training.evaluate.batches import BATCH, predict_all
from training.retrain import screen
from training.retrain.labelled import Labelled

COUNT = 2 * BATCH + 3


@pytest.fixture
def sizes(predictor, monkeypatch) -> list[int]:
    """Recorded batch sizes."""
    sizes: list[int] = []
    answer = predictor.logits

    def logits(pixels):
        sizes.append(len(pixels))
        return answer(pixels)

    monkeypatch.setattr(predictor, "logits", logits)
    return sizes


def test_predictions_have_the_order_of_the_images(predictor, sizes):
    digits = synthetic.digits(COUNT)
    answers = predict_all(predictor, digits.images)
    assert np.mean([answer.digit for answer in answers] == digits.labels) > 0.9
    assert sizes == [BATCH, BATCH, 3]


def test_behavioural_tests_and_screening_use_small_batches(predictor, sizes):
    behaviour.measure_invariance(predictor, count=COUNT)
    behaviour.measure_acceptance(predictor, count=COUNT)
    screen.screen(
        predictor, predictor.model, Labelled([str(i) for i in range(COUNT)], synthetic.digits(COUNT))
    )
    assert max(sizes) == BATCH
