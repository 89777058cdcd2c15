"""Temperature scaling corrects over-confidence; calibration error, AUROC and Platt scaling."""

import numpy as np
import pytest
import torch

from training.train.calibration import (
    area_under_curve,
    expected_calibration_error,
    fit_score_line,
    fit_temperature,
)


def _honest(count: int, seed: int = 0):
    """Calibrated logits, and labels sampled from their probabilities."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, 10, generator=generator) * 2
    labels = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator).squeeze(1)
    return logits.numpy(), labels.numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_true_temperature_is_found(temperature):
    logits, labels = _honest(20_000)
    assert fit_temperature([logits * temperature], [labels]) == pytest.approx(temperature, rel=0.05)


def test_the_logit_of_no_digit_is_ignored():
    logits, labels = _honest(5_000)
    with_none = np.concatenate([logits, np.full((5_000, 1), 9, np.float32)], axis=1)
    assert fit_temperature([with_none], [labels]) == fit_temperature([logits], [labels])


def test_groups_have_equal_weight():
    few, many = _honest(2_000), _honest(20_000, seed=1)
    between = fit_temperature([few[0] * 3, many[0]], [few[1], many[1]])
    all_alike = fit_temperature([np.concatenate([few[0] * 3, many[0]])], [np.concatenate([few[1], many[1]])])
    assert all_alike < between - 0.2


def test_the_error_is_the_distance_between_confidence_and_accuracy():
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


def test_the_area_is_one_if_every_digit_scores_above_every_non_digit():
    assert area_under_curve(np.array([0.8, 0.9]), np.array([0.1, 0.7])) == 1.0
    assert area_under_curve(np.array([0.1, 0.2]), np.array([0.5, 0.7])) == 0.0


def test_the_area_is_the_share_of_ordered_pairs_and_a_tie_is_half():
    digits, others = np.array([0.9, 0.5, 0.4]), np.array([0.5, 0.1])
    pairs = [(digit > other) + 0.5 * (digit == other) for digit in digits for other in others]
    assert area_under_curve(digits, others) == pytest.approx(np.mean(pairs))


def test_nine_in_ten_drawings_with_a_score_of_nine_tenths_are_digits():
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 3, 200_000)
    is_digit = rng.random(len(odds)) < 1 / (1 + np.exp(-(0.5 * odds + 1)))
    # More non-digits, but both classes have equal weight.
    digits, others = odds[is_digit], odds[~is_digit]
    share = len(digits) / len(others)
    slope, intercept = fit_score_line(digits, others)
    assert slope == pytest.approx(0.5, abs=0.01)
    assert intercept == pytest.approx(1 - np.log(share), abs=0.03)
    line = fit_score_line(digits, np.tile(others, 2))
    assert line == pytest.approx((slope, intercept), abs=0.01)
