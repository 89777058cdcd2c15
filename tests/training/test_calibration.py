"""The temperature undoes over-confidence, and the calibration error measures what is left of it."""

import numpy as np
import pytest
import torch

from training.calibration import confidences, expected_calibration_error, fit_temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_the_logits_were_multiplied_by_is_found(temperature):
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn(20_000, 10, generator=generator) * 2
    labels = torch.multinomial(torch.softmax(honest, 1), 1, generator=generator).squeeze(1)
    assert fit_temperature(honest * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_confidences_are_the_largest_probability():
    logits = torch.tensor([[0.0, 0.0], [np.log(3.0), 0.0]])
    assert confidences(logits, 1.0) == pytest.approx([0.5, 0.75])
    assert confidences(logits, 0.5) == pytest.approx([0.5, 0.9])


def test_the_error_is_the_distance_of_confidence_and_accuracy():
    sure = np.full(100, 0.9)
    assert expected_calibration_error(sure, np.arange(100) < 90) == pytest.approx(0.0)
    assert expected_calibration_error(sure, np.arange(100) < 50) == pytest.approx(0.4)
    assert expected_calibration_error(sure, np.ones(100, dtype=bool)) == pytest.approx(0.1)


def test_bins_do_not_cancel_each_other():
    confidence = np.array([0.55] * 100 + [0.95] * 100)
    correct = np.array([True] * 100 + [False] * 50 + [True] * 50)
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.45)


def test_a_confidence_of_one_is_in_the_last_bin():
    assert expected_calibration_error(np.ones(4), np.array([True, True, True, False])) == pytest.approx(0.25)
