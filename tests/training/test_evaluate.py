"""An evaluation counts right, says it as text and draws it as a picture."""

import functools

import numpy as np
import pytest
from PIL import Image

from handler.predictor import Predictor
from tests.training import synthetic
from training import data, evaluate
from training.archive import RELEASED_CHECKPOINT
from training.data import Digits
from training.evaluate import Evaluation


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(RELEASED_CHECKPOINT, version="1.0")


@pytest.fixture(scope="module")
def digits() -> Digits:
    return synthetic.digits(60)


def test_it_counts_what_the_predictor_answers(predictor, digits, monkeypatch):
    monkeypatch.setattr(evaluate, "BATCH", 7)  # 60 is no multiple of it: none may be lost
    result = evaluate.evaluate(predictor, digits)
    answers = [prediction.digit for prediction in predictor.predict_inputs(list(digits.images))]
    expected = np.zeros((10, 10), dtype=int)
    for label, answer in zip(digits.labels, answers, strict=True):
        expected[label, answer] += 1
    assert np.array_equal(result.confusion, expected)
    assert result.accuracy == np.mean(digits.labels == answers)


def test_wrong_labels_cost_accuracy_and_calibration(predictor, digits):
    right = evaluate.evaluate(predictor, digits)
    wrong = evaluate.evaluate(predictor, Digits(digits.images, (digits.labels + 1) % 10))
    assert right.accuracy > 0.9
    assert wrong.accuracy < 0.1
    assert wrong.calibration_error > 0.8
    assert wrong.confusion[1, 0] == right.confusion[0, 0]


def test_blanks_are_counted_as_called_no_digit(predictor, digits):
    images = digits.images.copy()
    images[:15] = 0
    result = evaluate.evaluate(predictor, Digits(images, digits.labels))
    assert 0.25 <= result.called_no_digit < 0.5


def test_the_table_has_a_row_a_digit_with_its_accuracy():
    confusion = np.diag([10] * 10)
    confusion[4, 4], confusion[4, 9] = 7, 3
    lines = Evaluation(confusion, 0.0, 0.0).table().splitlines()
    assert len(lines) == 11
    assert lines[5].split() == ["4", "70.00%", *"....", "7", *"....", "3"]


def test_the_confusion_matrix_is_drawn(tmp_path):
    evaluate.draw_confusion(
        Evaluation(np.diag([3] * 10), 0.0, 0.0), "all right", tmp_path / "new" / "matrix.png"
    )
    with Image.open(tmp_path / "new" / "matrix.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) >= 400
        assert picture.convert("L").getextrema()[0] < 50  # numbers


def test_the_command_measures_and_says_what_it_skips(tmp_path, monkeypatch, capsys, digits):
    monkeypatch.setattr(data, "load", lambda *, train: None if train else digits)
    monkeypatch.setattr(evaluate, "DRAWINGS", tmp_path / "drawn" / "drawn.py")
    assert evaluate.main(["--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "MNIST test: 60 digits, accuracy" in said
    assert "calibration error" in said
    assert "Real drawings: not measured" in said
    assert (tmp_path / "out" / "confusion-mnist.png").exists()


def test_real_drawings_are_read(predictor):
    if not evaluate.DRAWINGS.exists():
        pytest.skip("the drawings to measure on (../shared/drawn) are not on this machine")
    drawn = evaluate.drawings(limit=500)
    assert len(drawn) == 500
    assert evaluate.evaluate(predictor, drawn).accuracy >= 0.94


def test_a_missing_checkpoint_is_named(capsys):
    assert evaluate.main(["--checkpoint", "runs/none.pt"]) == 1
    assert "CHECKPOINT 'runs/none.pt' is not a file" in capsys.readouterr().err


def test_missing_data_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(data, "load", functools.partial(data.load, root=tmp_path))
    assert evaluate.main([]) == 1
    assert "make data" in capsys.readouterr().err
