"""Drawings for training: repeatable, balanced, rightly labelled, and nothing held out among them."""

import numpy as np
import pytest

from handler.predictor import Predictor
from training.publish import FOLDER
from training.strokes import digits, generate, outliers
from training.strokes.generate import NAMES, NO_DIGIT, Drawings, drawn

HELD_OUT = {*digits.HELD_OUT, *outliers.HELD_OUT}


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    return drawn(240, seed=5, outliers=0.25, processes=1)


def test_they_are_as_the_model_sees_them(drawings):
    assert (drawings.images.shape, drawings.images.dtype) == ((240, 28, 28), np.uint8)
    assert drawings.labels.dtype == drawings.styles.dtype == np.int64
    assert (drawings.images.max(axis=(1, 2)) == 255).all()


def test_the_same_seed_gives_the_same_drawings_and_another_others(drawings):
    again = drawn(240, seed=5, outliers=0.25, processes=1)
    np.testing.assert_array_equal(drawings.images, again.images)
    other = drawn(20, seed=6, processes=1)
    assert (other.images != drawings.images[:20]).any(axis=(1, 2)).all()


def test_the_number_of_processes_changes_nothing(drawings, monkeypatch):
    monkeypatch.setattr(generate, "CHUNK", 15)
    np.testing.assert_array_equal(drawn(40, seed=5, processes=2).images, drawings.images[:40])


def test_digits_are_balanced_and_outliers_are_the_share_at_the_end(drawings):
    assert np.bincount(drawings.labels).tolist() == [18] * 10 + [60]
    assert (drawings.labels[-60:] == NO_DIGIT).all()


def test_styles_of_a_digit_are_balanced():
    plan = generate._plan(4_000, 0, held_out=False)
    counts = np.bincount([style for label, style in plan if label == 4])
    assert np.ptp(counts[counts > 0]) <= 1


def test_labels_are_the_digits_of_the_styles(drawings):
    for label, style in zip(drawings.labels, drawings.styles, strict=True):
        if label == NO_DIGIT:
            assert NAMES[style] in {kind.name for kind in outliers.KINDS}
        else:
            assert NAMES[style].startswith(f"{label} ")


def test_no_held_out_style_is_ever_trained_on():
    trained = {NAMES[style] for _, style in generate._plan(20_000, 6_000, held_out=False)}
    chosen_by = {NAMES[style] for _, style in generate._plan(20_000, 6_000, held_out=True)}
    assert chosen_by == HELD_OUT
    assert trained == {*NAMES} - HELD_OUT


def test_held_out_drawings_are_of_held_out_styles():
    held_out = drawn(40, seed=5, outliers=0.5, held_out=True, processes=1)
    assert {NAMES[style] for style in held_out.styles} <= HELD_OUT


def test_a_model_that_never_saw_them_reads_most_digits_as_labelled(drawings):
    model = Predictor.load(FOLDER / "release" / "mnist-1.0.pt", version="1.0")
    read = np.array([prediction.digit for prediction in model.predict_inputs(list(drawings.images[:180]))])
    assert (read == drawings.labels[:180]).mean() > 0.93
