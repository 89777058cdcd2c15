"""TTA: the mean of three passes, for uncertain images only."""

import numpy as np
import pytest
from numpy.typing import NDArray

from handler.model import OUTPUTS
from handler.tta import add_tta, shift_half_a_pixel


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def _logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits of a network and of LDA, OUTPUTS each: the ink of as many columns."""
    return pixels.mean(axis=1)[:, : 2 * OUTPUTS].astype(np.float32) / 25


def test_a_line_shifted_by_half_a_pixel_is_as_long_and_half_as_dark():
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, 14, 5:20] = 200
    for [shifted], rows, first in zip(shift_half_a_pixel(picture), ((14, 15), (13, 14)), (5, 4), strict=True):
        assert np.flatnonzero(shifted.any(axis=1)).tolist() == list(rows)
        assert np.flatnonzero(shifted.any(axis=0)).tolist() == list(range(first, first + 16))
        assert shifted[rows, 10].tolist() == [100, 100]


def test_ink_at_the_border_is_not_wrapped_around():
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, 0, 0] = picture[0, 27, 27] = 200
    down_right, up_left = (shifted[0] for shifted in shift_half_a_pixel(picture))
    assert down_right[27, 27] == up_left[0, 0] == 50
    assert (down_right.sum(), up_left.sum()) == (4 * 50 + 50, 4 * 50 + 50)


def test_logits_of_an_uncertain_image_are_the_mean_of_three_passes(pixels):
    passes = [pixels, *shift_half_a_pixel(pixels)]
    expected = np.mean([_logits(one) for one in passes], axis=0)
    np.testing.assert_allclose(add_tta(_logits, below=1.0)(pixels), expected, rtol=1e-6)


def test_a_certain_image_gets_one_pass(pixels):
    own = _logits(pixels)[:, :OUTPUTS].astype(np.float64)
    sure = np.sort((np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)).max(axis=1))
    batches = []

    def logits(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        batches.append(len(batch))
        return _logits(batch)

    logits_with_tta = add_tta(logits, below=float(sure[1:3].mean()))(pixels)
    assert batches == [5, 4]  # both moved pictures of two drawings at once
    assert (logits_with_tta == _logits(pixels)).all(axis=1).sum() == 3


def test_certain_images_cause_no_further_pass(pixels):
    batches = []
    add_tta(lambda batch: batches.append(len(batch)) or _logits(batch), below=1e-9)(pixels)
    assert batches == [5]


def test_no_images_give_no_logits():
    assert add_tta(_logits, below=0.5)(np.zeros((0, 28, 28), np.uint8)).shape == (0, 2 * OUTPUTS)
