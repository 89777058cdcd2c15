"""Screening accepts labels that the other labels support, and lists the others with a reason."""

import numpy as np
import pytest

from handler.onnx_session import eager
from tests.training import synthetic
from training.data.mnist import Digits
from training.evaluate.batches import features
from training.retrain.labelled import Labelled
from training.retrain.screen import BLANK, screen


def _label(digits: Digits) -> Labelled:
    return Labelled([f"drawing {number}" for number in range(len(digits))], digits)


def test_correct_labels_are_accepted(predictor):
    labelled = _label(synthetic.digits(200))
    screened = screen(predictor, predictor.model, labelled)
    assert len(screened.accepted) >= 198
    assert screened.accepted.labels().keys() == labelled.labels().keys() - screened.doubts.keys()


def test_wrong_labels_are_listed_with_the_prediction(predictor):
    digits = synthetic.digits(300)
    wrong = np.arange(0, 300, 7)
    labels = digits.labels.copy()
    labels[wrong] = (labels[wrong] + 3) % 10
    screened = screen(predictor, predictor.model, _label(Digits(digits.images, labels)))
    listed = {int(id_.split()[1]) for id_ in screened.doubts}
    assert len(listed & set(wrong.tolist())) >= 0.9 * len(wrong)
    assert len(listed - set(wrong.tolist())) <= 3
    first = screened.doubts[f"drawing {wrong[1]}"]
    assert first.startswith(f"label {labels[wrong[1]]}, prediction {digits.labels[wrong[1]]} (")


def test_a_consistent_style_that_the_model_misreads_is_accepted(predictor):
    # Everybody labels what the model reads as a one as a seven; the other digits are ordinary.
    digits = synthetic.digits(200)
    digits = digits.take(np.flatnonzero(digits.labels != 7))
    ones = digits.labels == 1
    strange = Digits(digits.images, np.where(ones, 7, digits.labels))
    screened = screen(predictor, predictor.model, _label(strange))
    accepted_sevens = np.count_nonzero(screened.accepted.digits.labels == 7)
    assert accepted_sevens >= 0.8 * ones.sum()


def test_a_blank_is_listed(predictor):
    digits = synthetic.digits(100)
    images = digits.images.copy()
    images[3] = 0
    screened = screen(predictor, predictor.model, _label(Digits(images, digits.labels)))
    assert screened.doubts["drawing 3"] == BLANK


def test_the_model_decides_if_labels_are_few(predictor):
    digits = synthetic.digits(10)
    labels = digits.labels.copy()
    labels[4] = 9
    screened = screen(predictor, predictor.model, _label(Digits(digits.images, labels)))
    assert "drawing 4" in screened.doubts
    assert len(screened.accepted) >= 8
    assert len(screen(predictor, predictor.model, _label(digits.take(np.arange(0)))).accepted) == 0


def test_features_are_the_input_of_the_last_layer(predictor):
    images = synthetic.digits(4).images
    seen = features(predictor.model, images)
    last = list(predictor.model.layers)[-1]
    logits = seen @ last.weight.numpy().T + last.bias.numpy()
    assert logits == pytest.approx(eager(predictor.model)(images), abs=1e-3)
