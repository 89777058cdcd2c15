"""A challenger wins if it is significantly better on labelled drawings and nowhere worse."""

from dataclasses import replace

import numpy as np
import pytest

from handler.predictor import Predictor
from tests.training import synthetic
from training.archive.pack import RELEASED_CHECKPOINT
from training.retrain import judge as judging
from training.retrain.judge import judge
from training.retrain.labelled import Labelled
from training.strokes.generate import generate_drawings
from training.train.checkpoint import EvaluationData


class Cached:
    """The released model with cached answers: these tests repeat the same pictures."""

    def __init__(self):
        self.predictor = Predictor.load(RELEASED_CHECKPOINT, version="1.0")
        self.answers = {}

    def predict_inputs(self, inputs):
        new = {image.tobytes(): image for image in inputs if image.tobytes() not in self.answers}
        self.answers |= zip(new, self.predictor.predict_inputs(list(new.values())), strict=True)
        return [self.answers[image.tobytes()] for image in inputs]


@pytest.fixture(scope="module")
def model() -> Cached:
    return Cached()


@pytest.fixture(scope="module")
def evaluation() -> EvaluationData:
    held_out = generate_drawings(60, 0, outliers=0.5, held_out=True, processes=1)
    return EvaluationData(synthetic.digits(200), held_out)


@pytest.fixture(scope="module")
def labelled() -> Labelled:
    return Labelled([str(number) for number in range(120)], synthetic.digits(120, seed=1))


@pytest.fixture(autouse=True)
def behaviour(monkeypatch) -> dict[str, float]:
    shares = {"moved": 1.0, "blank": 0.0}
    monkeypatch.setattr(
        judging, "measure_invariance", lambda model: {"moved": getattr(model, "moved", shares["moved"])}
    )
    monkeypatch.setattr(judging, "measure_acceptance", lambda _: {"blank": shares["blank"]})
    return shares


class Wrong:
    """The model with wrong answers for a share of some pictures."""

    def __init__(self, model, share, of, **changes):
        self.model, self.share, self.changes = model, share, changes
        self.of = {image.tobytes() for image in of[: round(share * len(of))]}

    def predict_inputs(self, inputs):
        answers = self.model.predict_inputs(inputs)
        changes = self.changes or {"digit": None}
        return [
            replace(
                answer,
                **{
                    name: value if value is not None else (answer.digit + 1) % 10
                    for name, value in changes.items()
                },
            )
            if np.asarray(image).tobytes() in self.of
            else answer
            for image, answer in zip(inputs, answers, strict=True)
        ]


def _failed_names(verdict) -> list[str]:
    return [line.name for line in verdict.comparisons if not line.holds]


def test_an_equal_model_passes_every_comparison_and_does_not_win(model, evaluation, labelled):
    verdict = judge(model, model, evaluation, labelled)
    assert _failed_names(verdict) == []
    assert not verdict.better
    assert not verdict.wins


def test_higher_accuracy_on_labelled_drawings_wins(model, evaluation, labelled):
    worse = Wrong(model, 0.1, labelled.digits.images)
    verdict = judge(worse, model, evaluation, labelled)
    assert verdict.wins
    assert verdict.comparisons[0].note == "12 gained, 0 lost"
    # Two more of 120 may be chance.
    assert not judge(Wrong(model, 2 / 120, labelled.digits.images), model, evaluation, labelled).wins


def test_lower_accuracy_elsewhere_does_not_win(model, evaluation, labelled):
    champion = Wrong(model, 0.1, labelled.digits.images)
    for name, images in (
        ("MNIST validation", evaluation.validation.images),
        ("held-out styles", evaluation.held_out.images[evaluation.held_out.labels < 10]),
    ):
        verdict = judge(champion, Wrong(model, 0.3, images), evaluation, labelled)
        assert verdict.better
        assert f"{name}, accuracy" in _failed_names(verdict)
        assert not verdict.wins


def test_rejected_digits_and_accepted_non_digits_do_not_win(model, evaluation, labelled):
    champion = Wrong(model, 0.1, labelled.digits.images)
    verdict = judge(
        champion, Wrong(model, 0.2, evaluation.validation.images, is_digit=False), evaluation, labelled
    )
    assert _failed_names(verdict) == ["MNIST validation, accepted as a digit"]
    none = evaluation.held_out.images[evaluation.held_out.labels == 10]
    refusing = Wrong(model, 1.0, none, is_digit=False)
    verdict = judge(
        Wrong(refusing, 0.1, labelled.digits.images),
        Wrong(model, 1.0, none, is_digit=True),
        evaluation,
        labelled,
    )
    assert _failed_names(verdict) == ["held-out non-digits, rejected"]


def test_worse_calibration_does_not_win(model, evaluation, labelled):
    champion = Wrong(model, 0.1, labelled.digits.images)
    unsure = Wrong(model, 1.0, evaluation.validation.images, confidence=0.6)
    assert "MNIST validation, calibration error" in _failed_names(
        judge(champion, unsure, evaluation, labelled)
    )


def test_lower_invariance_does_not_win(model, evaluation, labelled):
    champion = Wrong(model, 0.1, labelled.digits.images)
    challenger = Wrong(model, 0.0, evaluation.validation.images)
    challenger.moved = 0.98
    assert _failed_names(judge(champion, challenger, evaluation, labelled)) == [
        "invariance, same digit when moved"
    ]
