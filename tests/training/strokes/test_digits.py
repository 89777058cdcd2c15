"""Every style has the topology and the proportions of its digit."""

import numpy as np
import pytest

from training.strokes.digits import COMBINED, HELD_OUT, STYLES, combine_parts, styles
from training.strokes.figure import curve
from training.strokes.pen import render

BY_NAME = {style.name: style for style in STYLES}


def _exact(name):
    """The style without variation: bool (280, 280)."""
    return _ink(BY_NAME[name].figures[0])


def _ink(figure, brush=10.0):
    lines = [20 + 2.4 * curve(stroke.points, stroke.corners, closed=stroke.closed) for stroke in figure]
    return np.asarray(render(lines, brush)) > 127


def _holes(ink):
    """The number of areas that the ink encloses."""
    paper = np.pad(~ink[::2, ::2], 1, constant_values=True)
    areas = -1  # the background
    while paper.any():
        area = np.zeros_like(paper)
        area[tuple(np.argwhere(paper)[0])] = True
        size = 0
        while (grown := int(area.sum())) > size:
            size = grown
            area[1:] |= area[:-1]
            area[:-1] |= area[1:]
            area[:, 1:] |= area[:, :-1]
            area[:, :-1] |= area[:, 1:]
            area &= paper
        areas += size > 8
        paper &= ~area
    return areas


def test_names_are_unique_and_begin_with_the_digit():
    assert len(BY_NAME) == len(STYLES)
    assert all(style.name.startswith(f"{style.digit} ") for style in STYLES)


@pytest.mark.parametrize("digit", range(10))
def test_each_digit_has_many_styles_and_some_held_out_styles(digit):
    assert sum(style.digit == digit for style in styles()) >= 8
    assert 1 <= sum(style.digit == digit for style in styles(held_out=True)) <= 2


def test_held_out_styles_exist_and_are_not_training_styles():
    assert set(HELD_OUT) == {style.name for style in styles(held_out=True)}
    assert not set(HELD_OUT) & {style.name for style in styles()}
    assert len(styles()) + len(styles(held_out=True)) == len(STYLES)


@pytest.mark.parametrize(
    ("holes", "names"),
    [
        (0, ["0 open", "1 bar", "1 based", "2 plain", "3 round", "3 flat-topped", "4 open", "4 cup", "4 lightning"]),
        (0, ["5 one stroke", "5 hat apart", "5 s-like", "6 open loop", "7 plain", "7 barred", "7 japanese"]),
        (1, ["0 plain", "0 narrow", "0 dotted", "0 angular", "2 looped foot", "3 centre loop", "4 closed"]),
        (1, ["4 sailing boat", "6 big loop", "6 tiny loop", "9 straight leg", "9 tiny loop", "9 hooked"]),
        (2, ["0 slashed", "0 backslashed", "8 two circles", "8 one stroke", "8 angular", "8 big lower"]),
    ],
)  # fmt: skip
def test_a_style_has_the_number_of_holes_of_its_digit(holes, names):
    assert {name: _holes(_exact(name)) for name in names} == dict.fromkeys(names, holes)


def _share(ink, top, bottom):
    """The share of the ink between two heights; 0 is the top of the ink and 1 its bottom."""
    rows = np.flatnonzero(ink.any(axis=1))
    height = rows[-1] - rows[0]
    return ink[int(rows[0] + top * height) : int(rows[0] + bottom * height)].sum() / ink.sum()


@pytest.mark.parametrize(
    ("more", "less", "top", "bottom"),
    [
        ("0 slashed", "0 plain", 0.3, 0.7),
        ("0 dotted", "0 plain", 0.45, 0.55),
        ("7 barred", "7 plain", 0.45, 0.6),
        ("1 based", "1 flagged", 0.9, 1.0),
        ("4 based", "4 closed", 0.9, 1.0),
        ("2 looped foot", "2 plain", 0.75, 0.98),
        ("5 long hat", "5 two strokes", 0.0, 0.1),
    ],
)
def test_the_ink_lies_where_the_style_name_says(more, less, top, bottom):
    assert _share(_exact(more), top, bottom) > 1.05 * _share(_exact(less), top, bottom)


@pytest.mark.parametrize("digit", [3, 8])
def test_the_larger_bowl_lies_where_the_style_name_says(digit):
    def wider_below(name):
        columns = [_exact(name)[half].any(axis=0).sum() for half in (slice(0, 100), slice(180, 280))]
        return columns[1] / columns[0]

    assert wider_below(f"{digit} big lower") > 1.2
    assert wider_below(f"{digit} big upper") < 0.9


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_style_has_the_rough_proportions_of_its_digit(style):
    low, high = (0.03, 0.75) if style.digit == 1 else (0.28, 1.15)
    for figure in style.figures:
        rows, columns = (np.flatnonzero(_ink(figure).any(axis=axis)) for axis in (1, 0))
        assert low <= np.ptp(columns) / np.ptp(rows) <= high


def test_each_combination_of_parts_with_an_ending_is_a_figure():
    parts = {"tops": ["0,0 10,0!", "5,5 10,5!"], "legs": ["8,50"]}
    endings = {"plain": "", "barred": "/ 0,50 20,50"}
    combination = {"digit": 7, "parts": ["tops", "legs"], "endings": endings}
    plain, barred = combine_parts({"parts": parts, "combinations": [combination]})
    assert [(style.name, style.digit, len(style.figures)) for style in (plain, barred)] == [
        ("7 plain", 7, 2),
        ("7 barred", 7, 2),
    ]
    stroke, bar = barred.figures[1]
    assert stroke.points.tolist() == [[5, 5], [10, 5], [8, 50]]
    assert stroke.corners == (False, True, False)
    assert bar.points.tolist() == [[0, 50], [20, 50]]
    assert [stroke.points.tolist() for stroke in plain.figures[0]] == [[[0, 0], [10, 0], [8, 50]]]
    assert {style.name for style in combine_parts(COMBINED)} <= BY_NAME.keys()


def test_a_style_draws_all_its_figures():
    style = max(STYLES, key=lambda style: len(style.figures))
    rng = np.random.default_rng(0)
    drawn = {id(style.figure(rng)) for _ in range(40 * len(style.figures))}
    assert drawn == {id(figure) for figure in style.figures}
