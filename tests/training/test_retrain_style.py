"""A way to write that the recipe does not know is learned from labels, and from labels that are wrong nothing worse is.

The loop at a size for a test; benchmarks/retrain.py has it at its own, in a running system.
"""

import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.unknown_styles import UNDERLINED, Drawn, written
from handler.predictor import Predictor
from handler.preprocessing import preprocess
from ops.versions import RELEASED
from training import data, judge, retrain
from training.archive import RELEASED_CHECKPOINT
from training.data import Digits
from training.judge import SIGNIFICANT, gains
from training.labelled import Labelled
from training.measure import answers
from training.retrain import Champion
from training.retrain_report import Report
from training.strokes.generate import generate_drawings

# Two to six minutes each, by processor.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LABELLED = 400
FRESH = 500
# Drawings of each change that may not matter, and of each kind of nothing.
BEHAVIOUR = 400
# In place of MNIST, which not every machine has; the champion reads such digits as well.
OTHERS = 4500
RECIPE = replace(
    retrain.RECIPE,
    drawn_images=4000,
    validation_images=1000,
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
    """One for all: the drawings of the mix that the first leaves here are those of the second."""
    return tmp_path_factory.mktemp("retrain")


@pytest.fixture(scope="module")
def fresh() -> Digits:
    """Other drawings of that kind, which nobody labelled."""
    return _prepared(written(UNDERLINED, FRESH, seed=2))


def _prepared(drawings: list[Drawn]) -> Digits:
    return Digits(
        np.stack([preprocess(drawing.canvas) for drawing in drawings]),
        np.array([drawing.digit for drawing in drawings]),
    )


def _labelled(wrong: float) -> tuple[Labelled, set[str]]:
    """Underlined digits, and what people said they are: this share of it another digit; and the ids of these."""
    rng = np.random.default_rng(3)
    meant = _prepared(written(UNDERLINED, LABELLED, seed=1))
    slipped = rng.random(LABELLED) < wrong
    labels = np.where(slipped, (meant.labels + rng.integers(1, 10, LABELLED)) % 10, meant.labels)
    ids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(LABELLED)]
    return Labelled(ids, Digits(meant.images, labels)), set(np.array(ids)[slipped])


def _right(report: Report, fresh: Digits) -> tuple[np.ndarray, np.ndarray]:
    """Which of them champion and challenger read right."""
    champion, challenger = (
        answers(model, fresh.images).digits == fresh.labels for model in (report.champion, report.challenger)
    )
    return champion, challenger


def test_a_style_that_people_labelled_is_read_better_and_nothing_worse(champion, folder, fresh, monkeypatch):
    for measured in ("kept", "called_a_digit"):
        monkeypatch.setattr(judge, measured, partial(getattr(judge, measured), count=BEHAVIOUR))
    report = retrain.retrain(champion, _labelled(wrong=0.0)[0], folder, RECIPE)
    before, after = _right(report, fresh)
    assert after.mean() >= before.mean() + 0.05
    assert gains(before, after) < SIGNIFICANT / 100
    assert report.verdict.wins, report.text()


def test_of_labels_of_which_many_are_wrong_few_are_learned_and_nothing_worse_may_follow(
    champion, folder, fresh, monkeypatch
):
    # What may change a drawing without another answer takes its time, and is not what this is about.
    monkeypatch.setattr(judge, "kept", lambda _: {})
    monkeypatch.setattr(judge, "called_a_digit", lambda _: {})
    labelled, wrong = _labelled(wrong=0.3)
    report = retrain.retrain(champion, labelled, folder, RECIPE)
    kept = report.screened.kept.ids
    assert len(wrong.intersection(kept)) < 0.1 * len(kept)
    before, after = _right(report, fresh)
    assert not report.verdict.wins or gains(after, before) > SIGNIFICANT, report.text()
