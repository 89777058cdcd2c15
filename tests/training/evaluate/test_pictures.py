"""Reliability diagrams and error pictures are written and depend on the answers."""

import numpy as np
from PIL import Image

from tests.training import synthetic
from training.evaluate.measure import Answers
from training.evaluate.pictures import draw_errors, draw_reliability


def _answers(digits, confidence: float) -> Answers:
    confidences = np.full(len(digits), confidence)
    return Answers(np.array(digits), confidences, confidences, confidences > 0)


def _read_picture(path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("L"))


def test_reliability_is_drawn_for_each_set(tmp_path):
    digits = synthetic.digits(60)
    one, two = tmp_path / "new" / "one.png", tmp_path / "two.png"
    sets = {name: (_answers(digits.labels, sure), digits) for name, sure in (("MNIST", 0.9), ("others", 0.5))}
    draw_reliability({"MNIST": sets["MNIST"]}, one)
    draw_reliability(sets, two)
    assert _read_picture(two).shape[1] > 1.5 * _read_picture(one).shape[1]


def test_only_errors_are_drawn(tmp_path):
    digits = synthetic.digits(20)
    wrong = digits.labels.copy()
    for count in (0, 1, 12):
        wrong[:count] = (digits.labels[:count] + 1) % 10
        draw_errors(_answers(wrong, 0.8), digits, "some", tmp_path / f"{count}.png")
    ink = [(_read_picture(tmp_path / f"{count}.png") < 128).sum() for count in (0, 1, 12)]
    assert ink[0] < ink[1] < ink[2]
