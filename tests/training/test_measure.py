"""What a model is worth is counted right."""

import json
from dataclasses import replace

import numpy as np
import pytest

from handler.predictor import Predictor
from tests.training import synthetic
from training import batches, behaviour, measure, real_drawings
from training.archive import RELEASED_CHECKPOINT
from training.data import Digits
from training.strokes.generate import FIRST_WRITER_STYLE, NO_DIGIT, Drawings


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(RELEASED_CHECKPOINT, version="1.0")


@pytest.fixture(autouse=True)
def no_held_out_writers(monkeypatch):
    """None of those that a checkout may have."""
    monkeypatch.setattr(measure, "load_held_out_writers", lambda: None)


@pytest.fixture(scope="module")
def digits() -> Digits:
    return synthetic.digits(60)


def test_it_counts_what_the_predictor_answers(predictor, digits, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 7)  # 60 is no multiple of it: none may be lost
    numbers = measure.of_digits(measure.answers(predictor, digits.images), digits.labels)
    answered = np.array([answer.digit for answer in predictor.predict_inputs(list(digits.images))])
    expected = np.zeros((10, 10), dtype=int)
    for label, answer in zip(digits.labels, answered, strict=True):
        expected[label, answer] += 1
    assert numbers["confusion"] == expected.tolist()
    assert numbers["accuracy"] == np.mean(digits.labels == answered)


def test_wrong_labels_cost_accuracy_and_calibration(predictor, digits):
    answers = measure.answers(predictor, digits.images)
    right = measure.of_digits(answers, digits.labels)
    wrong = measure.of_digits(answers, (digits.labels + 1) % 10)
    assert right["accuracy"] > 0.9
    assert wrong["accuracy"] < 0.1
    assert wrong["calibration_error"] > 0.8
    assert wrong["confusion"][1][0] == right["confusion"][0][0]


def test_blanks_are_counted_as_called_no_digit(predictor, digits):
    images = digits.images.copy()
    images[:15] = 0
    answers = measure.answers(predictor, images)
    assert 0.25 <= measure.of_digits(answers, digits.labels)["called_no_digit"] < 0.5


def test_others_are_told_by_their_scores():
    def answers(scores: list[float]) -> measure.Answers:
        values = np.array(scores)
        return measure.Answers(np.zeros(len(values), int), values, values, values > 0.5)

    numbers = measure.of_others(answers([0.1, 0.2, 0.6]), answers([0.3, 0.9]))
    assert numbers == {"drawings": 3, "called_digit": 1 / 3, "area_under_curve": 5 / 6}


def test_an_interval_is_wilsons():
    low, high = measure.interval(9970, 10_000)  # by hand
    assert (round(low, 4), round(high, 4)) == (0.9957, 0.9979)
    assert measure.interval(10, 10)[1] == pytest.approx(1)


def test_the_reporting_sets_are_read_only_to_report(predictor, digits, monkeypatch):
    monkeypatch.setattr(measure, "measure_invariance", lambda _: {"moved": 1.0})
    monkeypatch.setattr(measure, "measure_acceptance", lambda _: {"blank": 0.0})
    monkeypatch.setattr(real_drawings, "digits", lambda: synthetic.digits(30))
    monkeypatch.setattr(real_drawings, "others", lambda: np.zeros((5, 28, 28), np.uint8))
    numbers = measure.measured(predictor, digits, report=True)
    assert numbers["pendigits_reporting"]["digits"] == 30
    assert numbers["omniglot"] == {"drawings": 5, "called_digit": 0.0, "area_under_curve": 1.0}
    assert numbers["served_as_eager"] == 1.0
    assert dict(measure.rows(numbers))["Omniglot, accepted as a digit"] == "0.00%"
    without = [measure.measured(predictor, digits, report=False)]
    monkeypatch.setattr(real_drawings, "digits", lambda: None)
    without.append(measure.measured(predictor, digits, report=True))
    for numbers in without:
        assert numbers["pendigits_reporting"] is None
        assert dict(measure.rows(numbers))["Omniglot, accepted as a digit"] == "not measured"


def test_held_out_writers_are_measured_without_reporting(predictor, digits, monkeypatch):
    monkeypatch.setattr(measure, "measure_invariance", lambda _: {"moved": 1.0})
    monkeypatch.setattr(measure, "measure_acceptance", lambda _: {"blank": 0.0})
    of_people = Drawings(
        np.concatenate([digits.images, np.zeros((4, 28, 28), np.uint8)]),
        np.concatenate([digits.labels, np.full(4, NO_DIGIT)]),
        np.full(len(digits) + 4, FIRST_WRITER_STYLE),
    )
    monkeypatch.setattr(measure, "load_held_out_writers", lambda: of_people)
    numbers = measure.measured(predictor, digits, report=False)
    assert numbers["held_out_writers"] == numbers["mnist_test"]
    assert numbers["letters"] == {"drawings": 4, "called_digit": 0.0, "area_under_curve": 1.0}
    assert dict(measure.rows(numbers))["letters and signs, accepted as a digit"] == "0.00%"


def test_a_network_that_serves_other_digits_is_seen(digits):
    served = Predictor.load(RELEASED_CHECKPOINT, version="1.0")
    other = Predictor(
        served.model,
        served.temperature,
        served.digit_threshold,
        "1.0",
        lambda pixels: -served.logits(pixels),
        runtime="float32",
    )
    assert measure._served_as_eager(other, [digits.images]) < 0.1


def test_reporting_writers_are_read_as_published(predictor):
    drawn = real_drawings.digits(limit=200)
    if drawn is None:
        pytest.skip(f"real drawings are not measured: {real_drawings.NOT_AT_HAND}")
    numbers = measure.of_digits(measure.answers(predictor, drawn.images), drawn.labels)
    published = json.loads(RELEASED_CHECKPOINT.with_suffix(".json").read_text(encoding="utf-8"))
    expected = published["measured"]["pendigits_reporting"]["accuracy"]
    # A dozen drawings of room: two or three change with a processor's rounding.
    assert numbers["accuracy"] >= expected - 12 / len(drawn)


def test_only_reporting_writers_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(real_drawings, "SCRIPT", tmp_path / "drawn.py")
    real_drawings.SCRIPT.write_text(
        "import numpy\n"
        "def pendigits(limit, writers='all'):\n"
        "    labels = {'all': [1, 2, 3], 'reporting': [3]}[writers]\n"
        "    return [numpy.eye(280, dtype=numpy.uint8)] * len(labels), labels\n"
    )
    assert real_drawings.digits().labels.tolist() == [3]


def test_without_the_folder_there_are_no_real_drawings(monkeypatch, tmp_path):
    monkeypatch.setattr(real_drawings, "SCRIPT", tmp_path / "drawn.py")
    assert real_drawings.digits() is None
    assert real_drawings.others() is None


@pytest.mark.parametrize("change", behaviour.CHANGES)
def test_a_change_changes_the_drawing_and_keeps_it_on_the_canvas(change):
    rng = np.random.default_rng(0)
    drawn = behaviour._draw(behaviour.digits.STYLES[0], rng)
    before = np.asarray(drawn.image()).astype(int)
    after = np.asarray(behaviour.CHANGES[change](drawn, rng).image()).astype(int)
    assert np.abs(after - before).mean() > 1
    border = np.concatenate([after[0], after[-1], after[:, 0], after[:, -1]])
    assert (border == border[0]).all() or change == "scaled to 30 to 100 % of the canvas"


def test_what_is_kept_is_counted_by_answers(predictor):
    rng = np.random.default_rng(0)

    class Guessing:
        def predict_inputs(self, inputs):
            return [
                replace(answer, digit=int(rng.integers(10))) for answer in predictor.predict_inputs(inputs)
            ]

    assert max(behaviour.measure_invariance(Guessing(), count=50).values()) < 0.4
    assert min(behaviour.measure_invariance(predictor, count=50).values()) > 0.9


def test_what_is_called_a_digit_is_counted_by_kind(predictor):
    class Certain:
        def predict_inputs(self, inputs):
            return [replace(answer, is_digit=True) for answer in predictor.predict_inputs(inputs)]

    assert set(behaviour.measure_acceptance(Certain(), count=5).values()) == {1.0}
    assert behaviour.measure_acceptance(predictor, count=5)["blank"] == 0.0
