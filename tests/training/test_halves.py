"""What chooses a challenger does not judge it: two halves, and everything that is known is in both."""

import numpy as np

from tests.training import synthetic
from training.halves import halves
from training.strokes.generate import Drawings, generate_drawings


def _numbered(count: int, of: np.ndarray) -> np.ndarray:
    """Images that tell which they are."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1], images[:, 0, 2] = np.arange(count) // 256, np.arange(count) % 256, of
    return images


def test_each_drawing_is_in_one_half_and_each_digit_and_style_in_both_as_often():
    digits = synthetic.digits(205)
    plan = generate_drawings(600, 0, outliers=0.5, held_out=True, processes=1)
    held_out = Drawings(_numbered(600, plan.labels), plan.labels, plan.styles)
    first, second = halves(digits, held_out)
    for of_first, of_second, of_all in zip(first, second, (digits, held_out), strict=True):
        assert len(of_first) + len(of_second) == len(of_all)
        counts = [np.bincount(half.labels, minlength=11) for half in (of_first, of_second)]
        assert np.abs(counts[0] - counts[1]).max() <= 1
    places = [set(map(bytes, half.images[:, 0, :2])) for _, half in (first, second)]
    assert not places[0] & places[1]
    assert len(places[0] | places[1]) == 600
    for _, half in (first, second):
        assert (half.images[:, 0, 2] == half.labels).all()
        assert (np.bincount(half.styles) >= np.bincount(plan.styles) // 2).all()


def test_the_same_are_divided_the_same():
    held_out = generate_drawings(40, 0, outliers=0.5, held_out=True, processes=1)
    (digits, drawings), _ = halves(synthetic.digits(100), held_out)
    (again, drawings_again), _ = halves(synthetic.digits(100), held_out)
    assert np.array_equal(digits.images, again.images)
    assert np.array_equal(drawings.images, drawings_again.images)
