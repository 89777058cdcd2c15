"""Looking again: at what, at which places, and that it is the mean of three looks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from handler.model import OUTPUTS
from handler.tta import add_tta, shift_half_a_pixel


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def _logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two opinions of OUTPUTS logits each: the ink of as many columns."""
    return pixels.mean(axis=1)[:, : 2 * OUTPUTS].astype(np.float32) / 25


def test_half_a_pixel_away_a_line_is_as_long_and_half_as_dark():
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, 14, 5:20] = 200
    for [look], rows, first in zip(shift_half_a_pixel(picture), ((14, 15), (13, 14)), (5, 4), strict=True):
        assert np.flatnonzero(look.any(axis=1)).tolist() == list(rows)
        assert np.flatnonzero(look.any(axis=0)).tolist() == list(range(first, first + 16))
        assert look[rows, 10].tolist() == [100, 100]


def test_ink_at_the_border_is_not_wrapped_around():
    picture = np.zeros((1, 28, 28), np.uint8)
    picture[0, 0, 0] = picture[0, 27, 27] = 200
    down_right, up_left = (look[0] for look in shift_half_a_pixel(picture))
    assert down_right[27, 27] == up_left[0, 0] == 50
    assert (down_right.sum(), up_left.sum()) == (4 * 50 + 50, 4 * 50 + 50)


def test_of_what_it_is_not_sure_it_takes_the_mean_of_three_looks(pixels):
    looks = [pixels, *shift_half_a_pixel(pixels)]
    expected = np.mean([_logits(look) for look in looks], axis=0)
    np.testing.assert_allclose(add_tta(_logits, below=1.0)(pixels), expected, rtol=1e-6)


def test_at_what_it_is_sure_of_it_looks_once(pixels):
    own = _logits(pixels)[:, :OUTPUTS].astype(np.float64)
    sure = np.sort((np.exp(own) / np.exp(own).sum(axis=1, keepdims=True)).max(axis=1))
    asked = []

    def logits(looked_at: NDArray[np.uint8]) -> NDArray[np.float32]:
        asked.append(len(looked_at))
        return _logits(looked_at)

    answered = add_tta(logits, below=float(sure[1:3].mean()))(pixels)
    assert asked == [5, 4]  # both moved pictures of two drawings at once
    assert (answered == _logits(pixels)).all(axis=1).sum() == 3


def test_nothing_is_looked_at_again_where_all_is_sure(pixels):
    asked = []
    add_tta(lambda looked_at: asked.append(len(looked_at)) or _logits(looked_at), below=1e-9)(pixels)
    assert asked == [5]


def test_no_pictures_have_no_logits():
    assert add_tta(_logits, below=0.5)(np.zeros((0, 28, 28), np.uint8)).shape == (0, 2 * OUTPUTS)
