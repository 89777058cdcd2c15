"""Text is parsed to strokes, and strokes give smooth curves."""

import numpy as np
import pytest

from training.strokes.figure import curve, parse, polygon, smooth


def _line(text: str):
    (stroke,) = parse(text)
    return curve(stroke.points, stroke.corners, closed=stroke.closed)


def _nearest(line, point):
    return np.hypot(*(line - point).T).min()


def test_strokes_points_and_corners_are_parsed():
    seven, bar = parse("22,10 78,9! 44.5,94 / 38,52 76,50")
    np.testing.assert_array_equal(seven.points, [(22, 10), (78, 9), (44.5, 94)])
    assert seven.corners == (False, True, False)
    assert len(bar.points) == 2


@pytest.mark.parametrize("word", ["50", "50,x", "1,2,3", "50;20", "!"])
def test_the_error_names_an_invalid_point(word):
    with pytest.raises(ValueError, match=r"is not a point; write x,y or x,y! for a corner"):
        parse(f"10,10 {word} 20,20")


def test_a_curve_passes_through_its_points():
    for point in [(10, 80), (30, 20), (70, 30), (90, 90)]:
        assert _nearest(_line("10,80 30,20 70,30 90,90"), point) < 1e-9


def test_only_corners_are_sharp():
    def sharpest(line):
        steps = np.diff(line, axis=0)
        headings = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        return np.degrees(np.abs(np.diff(headings)).max())

    assert sharpest(_line("10,90 50,10! 90,90")) > 80
    assert sharpest(_line("10,90 50,10 90,90")) < 60


def test_between_two_corners_the_line_is_straight():
    stroke = polygon([(0, 0), (10, 90), (80, 20)])
    line = curve(stroke.points, stroke.corners, closed=False)
    steps = np.diff(line[:9], axis=0)
    np.testing.assert_allclose(steps[:, 0] * 90, steps[:, 1] * 10, atol=1e-9)


def test_a_closed_stroke_is_smooth_at_its_ends():
    line = _line("50,10 10,50 50,90 90,50 50,10")
    np.testing.assert_array_equal(line[0], line[-1])
    first, last = line[1] - line[0], line[-1] - line[-2]
    assert first @ last / np.hypot(*first) / np.hypot(*last) > 0.9


def test_one_point_is_a_dot():
    np.testing.assert_array_equal(_line("50,40"), [(50, 40)])


def test_a_stroke_without_corners_is_smooth():
    assert smooth([(0, 0), (1, 1)]).corners == (False, False)
