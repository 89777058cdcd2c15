"""Behavioural tests of the released model: invariance, direction, and plain digits."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from fixtures import known_digits
from handler.predictor import Prediction, Predictor

DIGITS = range(10)


def _answer(predictor: Predictor, image: Image.Image) -> Prediction:
    return predictor.predict([image])[0]


def _transform(digit: int, *, scale: float = 1.0, degrees: float = 0.0, move=(0.0, 0.0)):
    """The strokes of a digit, rotated and scaled about the centre of the canvas of 100 x 100, then moved."""
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [(stroke - 50) @ turn.T + 50 + np.array(move) for stroke in known_digits.curves(digit)]


@pytest.mark.parametrize("digit", DIGITS)
def test_a_plain_digit_is_read_with_confidence(predictor, digit):
    answer = _answer(predictor, known_digits.draw(digit))
    assert answer.digit == digit
    assert answer.confidence > 0.9
    assert answer.is_digit


@pytest.mark.parametrize("move", [(-25, 0), (24, 0), (0, -15), (0, 14), (15, 10)])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_moved_digit_keeps_its_answer(predictor, digit, move):
    assert _answer(predictor, known_digits.draw_curves(_transform(digit, move=move))).digit == digit


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.25, 1.45])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_smaller_or_larger_digit_keeps_its_answer(predictor, digit, scale):
    assert _answer(predictor, known_digits.draw_curves(_transform(digit, scale=scale))).digit == digit


@pytest.mark.parametrize("brush", [6, 10, 24, 30])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_thinner_or_thicker_brush_keeps_the_answer(predictor, digit, brush):
    assert _answer(predictor, known_digits.draw(digit, brush)).digit == digit


@pytest.mark.parametrize("degrees", [-12, -6, 6, 12])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_slightly_rotated_digit_keeps_its_answer(predictor, digit, degrees):
    assert _answer(predictor, known_digits.draw_curves(_transform(digit, degrees=degrees))).digit == digit


@pytest.mark.parametrize("digit", DIGITS)
def test_an_inverted_digit_keeps_its_answer(predictor, digit):
    drawn = known_digits.draw(digit)
    answer, inverted = predictor.predict([drawn, ImageOps.invert(drawn)])
    assert inverted.digit == answer.digit
    assert inverted.probabilities == pytest.approx(answer.probabilities, abs=0.01)


def test_a_longer_roof_makes_a_one_more_likely_a_seven(predictor):
    answers = []
    for length in (0, 10, 20, 30):
        roof = np.linspace([52 - length, 20], [52, 20], 20)
        answers.append(_answer(predictor, known_digits.draw_curves([*known_digits.curves(1), roof])))
    assert answers[0].digit == 1
    assert answers[-1].digit == 7
    # The probability of a full seven is near 1; a change of 0.01 is noise.
    probabilities = np.array([answer.probabilities[7] for answer in answers])
    assert (np.diff(probabilities) > -0.01).all()


def test_a_bar_over_its_open_top_makes_a_four_more_likely_a_nine(predictor):
    left, crossbar, stem = known_digits.curves(4)
    bar = np.linspace(left[0], stem[0], 20)
    closed = _answer(predictor, known_digits.draw_curves([left, crossbar, stem, bar]))
    opened = _answer(predictor, known_digits.draw(4))
    assert closed.probabilities[9] > 10 * opened.probabilities[9]


def test_a_mirrored_top_and_bottom_turn_a_three_into_an_eight(predictor):
    strokes = known_digits.curves(3)
    mirrored = [stroke * [-1, 1] + [94, 0] for stroke in strokes]
    eight = _answer(predictor, known_digits.draw_curves([*strokes, *mirrored]))
    assert eight.digit == 8


def test_a_blank_is_no_digit(predictor):
    assert not _answer(predictor, Image.new("L", (280, 280))).is_digit
