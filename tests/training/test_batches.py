"""However many images there are, a network holds a few at a time, and none is lost."""

import numpy as np
import pytest

from handler.predictor import Predictor
from tests.training import synthetic
from training import behaviour, screen
from training.archive import RELEASED_CHECKPOINT
from training.batches import BATCH, predicted
from training.labelled import Labelled

COUNT = 2 * BATCH + 3


@pytest.fixture
def predictor() -> Predictor:
    return Predictor.load(RELEASED_CHECKPOINT, version="1.0")


@pytest.fixture
def sizes(predictor, monkeypatch) -> list[int]:
    """Of how many images the network was asked at once."""
    sizes: list[int] = []
    answer = predictor.logits

    def logits(pixels):
        sizes.append(len(pixels))
        return answer(pixels)

    monkeypatch.setattr(predictor, "logits", logits)
    return sizes


def test_every_image_is_answered_in_its_place(predictor, sizes):
    digits = synthetic.digits(COUNT)
    answers = predicted(predictor, digits.images)
    assert np.mean([answer.digit for answer in answers] == digits.labels) > 0.9
    assert sizes == [BATCH, BATCH, 3]


def test_what_is_judged_and_screened_is_asked_a_few_at_a_time(predictor, sizes):
    behaviour.kept(predictor, count=COUNT)
    behaviour.called_a_digit(predictor, count=COUNT)
    screen.screen(predictor, Labelled([str(i) for i in range(COUNT)], synthetic.digits(COUNT)))
    assert max(sizes) == BATCH
