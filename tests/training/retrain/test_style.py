"""Retraining learns an unknown writing style from labels, and wrong labels make nothing worse.

A small version of the loop; benchmarks/retrain.py runs the full one in a running system.
"""

import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fixtures.unknown_styles import UNDERLINED, Drawing, draw_digits
from handler.predictor import Predictor
from handler.preprocessing import preprocess
from ops.versions.state import RELEASED
from training.archive.pack import RELEASED_CHECKPOINT
from training.data import mnist as data
from training.data.mnist import Digits
from training.evaluate.measure import answers
from training.retrain import judge
from training.retrain import run as retrain
from training.retrain.judge import SIGNIFICANT, mcnemar_p_value
from training.retrain.labelled import Labelled
from training.retrain.report import Report
from training.retrain.run import Champion
from training.strokes.generate import generate_drawings

# Two to six minutes each, depending on the processor.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LABELLED = 900
FRESH = 500
# Drawings for each invariance and each kind of non-digit.
BEHAVIOUR = 400
# Replaces MNIST, which not every machine has.
OTHERS = 12_000
RECIPE = replace(
    retrain.RECIPE,
    drawn_images=4000,
    validation_images=2000,
    average_steps=30,
    without_real_drawings=True,
)


@pytest.fixture(scope="module")
def champion() -> Champion:
    predictor = Predictor.load(RELEASED_CHECKPOINT, RELEASED)
    return Champion(RELEASED, predictor, RELEASED_CHECKPOINT)


@pytest.fixture(scope="module")
def digits() -> Digits:
    drawings = generate_drawings(OTHERS, seed=7, processes=1)
    return Digits(drawings.images, drawings.labels)


@pytest.fixture(autouse=True)
def others(monkeypatch, digits) -> None:
    monkeypatch.setattr(data, "load", lambda *, train: digits)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Shared: the second test reuses the generated drawings of the first."""
    return tmp_path_factory.mktemp("retrain")


@pytest.fixture(scope="module")
def fresh() -> Digits:
    """Unlabelled drawings of the same style."""
    return _prepare(draw_digits(UNDERLINED, FRESH, seed=2))


def _prepare(drawings: list[Drawing]) -> Digits:
    return Digits(
        np.stack([preprocess(drawing.canvas) for drawing in drawings]),
        np.array([drawing.digit for drawing in drawings]),
    )


def _label(wrong: float) -> tuple[Labelled, set[str]]:
    """Labelled underlined digits with a share of wrong labels, and the ids of the wrong ones."""
    rng = np.random.default_rng(3)
    meant = _prepare(draw_digits(UNDERLINED, LABELLED, seed=1))
    slipped = rng.random(LABELLED) < wrong
    labels = np.where(slipped, (meant.labels + rng.integers(1, 10, LABELLED)) % 10, meant.labels)
    ids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(LABELLED)]
    return Labelled(ids, Digits(meant.images, labels)), set(np.array(ids)[slipped])


def _right(report: Report, fresh: Digits) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the drawings that champion and challenger read correctly."""
    champion, challenger = (
        answers(model, fresh.images).digits == fresh.labels for model in (report.champion, report.challenger)
    )
    return champion, challenger


def test_a_labelled_style_is_read_better_and_nothing_else_worse(champion, folder, fresh, monkeypatch):
    for measured in ("measure_invariance", "measure_acceptance"):
        monkeypatch.setattr(judge, measured, partial(getattr(judge, measured), count=BEHAVIOUR))
    report = retrain.retrain(champion, _label(wrong=0.0)[0], folder, RECIPE)
    before, after = _right(report, fresh)
    assert after.mean() >= before.mean() + 0.03
    assert mcnemar_p_value(before, after) < SIGNIFICANT / 100
    assert report.verdict.wins, report.text()


def test_most_wrong_labels_are_excluded_and_no_worse_challenger_wins(champion, folder, fresh, monkeypatch):
    # Skip the behavioural tests to save time.
    monkeypatch.setattr(judge, "measure_invariance", lambda _: {})
    monkeypatch.setattr(judge, "measure_acceptance", lambda _: {})
    labelled, wrong = _label(wrong=0.3)
    report = retrain.retrain(champion, labelled, folder, RECIPE)
    accepted = report.screened.accepted.ids
    assert len(wrong.intersection(accepted)) < 0.1 * len(accepted)
    before, after = _right(report, fresh)
    assert not report.verdict.wins or mcnemar_p_value(after, before) > SIGNIFICANT, report.text()
