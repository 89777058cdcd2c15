"""Non-digits: many kinds, some held out; each leaves ink, and none resembles a digit by chance."""

import numpy as np
import pytest

from training.strokes.hand import CANVAS
from training.strokes.lookalikes import resembles_digit
from training.strokes.outliers import HELD_OUT, KINDS, kinds
from training.strokes.pen import draw

BY_NAME = {kind.name: kind for kind in KINDS}


def test_names_are_unique():
    assert len(BY_NAME) == len(KINDS)


def test_held_out_kinds_exist_and_are_not_training_kinds():
    assert set(HELD_OUT) == {kind.name for kind in kinds(held_out=True)}
    assert not set(HELD_OUT) & {kind.name for kind in kinds()}


def test_letters_that_resemble_a_digit_have_the_frequency_of_an_alphabet():
    alike = [kind for kind in KINDS if kind.name.startswith("lookalike ")]
    assert {kind.name.split()[1] for kind in alike} >= {*"ODQIiJjlZzSsGbBqgay"}
    assert all(kind.weight == 1 and not kind.redraw for kind in alike)
    assert len(alike) < sum(kind.weight for kind in KINDS) / 6


def test_invented_characters_are_at_least_a_third_of_the_training_kinds():
    weights = {kind.name: kind.weight for kind in kinds()}
    invented = sum(weight for name, weight in weights.items() if name.startswith("invented "))
    assert invented > sum(weights.values()) / 3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_leaves_ink_and_varies(kind):
    first, second = (kind.write(np.random.default_rng(seed)) for seed in (0, 1))
    for paths in (first, second):
        every = np.concatenate(paths)
        assert every.min() >= -1e-6
        assert every.max() <= CANVAS + 1e-6
        assert draw(paths, np.random.default_rng(2)).getbbox() is not None
    assert [path.tolist() for path in first] != [path.tolist() for path in second]


def test_random_kinds_are_redrawn_if_they_resemble_a_digit():
    random_kinds = [kind for kind in KINDS if kind.name.startswith(("invented ", "scribble"))]
    assert random_kinds
    assert all(kind.redraw for kind in random_kinds)


def test_few_invented_characters_resemble_a_digit():
    for name in ("invented mixed", "invented of lines", "invented flowing"):
        matches = [resembles_digit(BY_NAME[name].write(np.random.default_rng(seed))) for seed in range(60)]
        assert sum(matches) < 30


@pytest.mark.parametrize(("name", "count"), [("two digits", 2), ("three digits", 3)])
def test_digits_side_by_side_do_not_touch(name, count):
    for seed in range(20):
        columns = np.zeros(CANVAS + 1, bool)
        for path in BY_NAME[name].write(np.random.default_rng(seed)):
            columns[int(path[:, 0].min()) : int(path[:, 0].max()) + 2] = True
        begins = np.flatnonzero(np.diff(np.concatenate([[False], columns]).astype(int)) == 1)
        assert len(begins) >= count
