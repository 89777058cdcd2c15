"""Digits from parts: every combination of parts with every ending is drawn."""

import numpy as np

from training.strokes.digits import STYLES
from training.strokes.figure import parse
from training.strokes.parts import CONSTRUCTIONS, Construction


def test_each_combination_of_parts_is_a_figure():
    built = Construction(7, (("0,0 10,0!", "5,5 10,5!"), ("8,50",)), {"": "6,90", "barred": "/ 0,50 20,50"})
    assert len(built.figures("")) == 2
    stroke, bar = built.figures("barred")[1]
    assert stroke.points.tolist() == [[5, 5], [10, 5], [8, 50]]
    assert stroke.corners == (False, True, False)
    assert bar.points.tolist() == [[0, 50], [20, 50]]
    assert np.array_equal(built.figures("")[0][0].points, parse("0,0 10,0! 8,50 6,90")[0].points)


def test_every_ending_is_a_style_with_all_combinations():
    by_name = {style.name: style for style in STYLES}
    for construction in CONSTRUCTIONS:
        combinations = int(np.prod([len(part) for part in construction.parts]))
        for ending in construction.endings:
            assert len(by_name[f"{construction.digit} {ending}"].figures) == combinations


def test_a_style_draws_all_its_figures():
    style = max(STYLES, key=lambda style: len(style.figures))
    rng = np.random.default_rng(0)
    drawn = {id(style.figure(rng)) for _ in range(40 * len(style.figures))}
    assert drawn == {id(figure) for figure in style.figures}
