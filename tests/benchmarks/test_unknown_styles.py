"""Ways to write that no recipe knows: a digit as it is always written, and a line more."""

import numpy as np
import pytest

from benchmarks.unknown_styles import STRUCK, UNDERLINED, written


@pytest.mark.parametrize("kind", [UNDERLINED, STRUCK], ids=lambda kind: kind.name)
def test_each_digit_comes_as_often_and_the_same_for_the_same_seed(kind):
    drawn = written(kind, 20, seed=1)
    assert [drawing.digit for drawing in drawn] == [*range(10)] * 2
    again = written(kind, 20, seed=1)
    assert all(np.array_equal(one.canvas, other.canvas) for one, other in zip(drawn, again, strict=True))
    assert not np.array_equal(drawn[0].canvas, drawn[10].canvas)


def test_the_line_lies_under_the_digit_or_goes_through_it():
    square = [np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0], [0.0, 0.0]])]
    rng = np.random.default_rng(0)
    for kind, highest, lowest in ((UNDERLINED, 100, 130), (STRUCK, 30, 70)):
        line = kind.added(square, rng)
        assert highest < line[:, 1].min() <= line[:, 1].max() < lowest
        assert line[:, 0].min() <= 0
        assert line[:, 0].max() >= 100
