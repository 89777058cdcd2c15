"""Lookalikes match digits and drawings that resemble one, and nothing else."""

import numpy as np
import pytest

from training.strokes.digits import styles
from training.strokes.figure import parse
from training.strokes.hand import write
from training.strokes.lookalikes import resembles_digit, similarity


def test_most_digits_in_held_out_styles_match():
    matches = [
        resembles_digit(write(figure, np.random.default_rng([77, seed])))
        for style in styles(held_out=True)
        for figure in style.figures
        for seed in range(5)
    ]
    assert np.mean(matches) > 0.8


@pytest.mark.parametrize("text", ["50,5 50,50 50,95", "50,8 26,22 20,50 27,80 50,92 74,80 80,50 73,22 50,8"])
def test_an_upright_line_and_a_loop_match(text):
    matches = [resembles_digit(write(parse(text), np.random.default_rng(seed))) for seed in range(40)]
    assert np.mean(matches) > 0.9


@pytest.mark.parametrize("text", ["10,10 90,10 / 10,90 90,90", "10,10 10,90 / 50,10 50,90 / 90,10 90,90"])
def test_a_drawing_that_resembles_no_digit_does_not_match(text):
    assert not any(resembles_digit(write(parse(text), np.random.default_rng(seed))) for seed in range(40))


def test_a_zigzag_matches_rarely():
    """A few variations of it resemble a four in one stroke."""
    zigzag = parse("10,90 30,10! 50,90! 70,10! 90,90")
    matches = [resembles_digit(write(zigzag, np.random.default_rng(seed))) for seed in range(40)]
    assert np.mean(matches) <= 0.05


def test_size_and_position_do_not_matter():
    paths = write(parse("18,8 82,94 / 82,8 18,94"), np.random.default_rng(0))
    moved = [path * 0.31 + (40, 90) for path in paths]
    assert similarity(moved) == pytest.approx(similarity(paths), abs=0.05)
