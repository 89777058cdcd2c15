"""A digit is recognised as a digit's lookalike in whatever brush, and what no digit resembles is not."""

import numpy as np
import pytest

from training.strokes.digits import styles
from training.strokes.figure import parse
from training.strokes.hand import write
from training.strokes.lookalikes import Lookalikes


@pytest.fixture(scope="module")
def lookalikes() -> Lookalikes:
    return Lookalikes.of_training_styles()


def test_most_digits_in_styles_it_does_not_know_are_held(lookalikes):
    held = [
        lookalikes.hold(write(figure, np.random.default_rng([77, seed])))
        for style in styles(held_out=True)
        for figure in style.figures
        for seed in range(5)
    ]
    assert np.mean(held) > 0.8


@pytest.mark.parametrize("text", ["50,5 50,50 50,95", "50,8 26,22 20,50 27,80 50,92 74,80 80,50 73,22 50,8"])
def test_a_single_upright_line_and_a_single_loop_are_held(lookalikes, text):
    held = [lookalikes.hold(write(parse(text), np.random.default_rng(seed))) for seed in range(40)]
    assert np.mean(held) > 0.9


@pytest.mark.parametrize("text", ["10,10 90,10 / 10,90 90,90", "10,10 10,90 / 50,10 50,90 / 90,10 90,90"])
def test_what_no_digit_resembles_is_not_held(lookalikes, text):
    assert not any(lookalikes.hold(write(parse(text), np.random.default_rng(seed))) for seed in range(40))


def test_a_zigzag_is_hardly_ever_held(lookalikes):
    """Of which some hand makes a four in one stroke."""
    zigzag = parse("10,90 30,10! 50,90! 70,10! 90,90")
    held = [lookalikes.hold(write(zigzag, np.random.default_rng(seed))) for seed in range(40)]
    assert np.mean(held) <= 0.05


def test_size_and_place_do_not_matter(lookalikes):
    paths = write(parse("18,8 82,94 / 82,8 18,94"), np.random.default_rng(0))
    moved = [path * 0.31 + (40, 90) for path in paths]
    assert lookalikes.similarity(moved) == pytest.approx(lookalikes.similarity(paths), abs=0.05)
