"""Training drawings are reproducible, balanced, correctly labelled, and contain no held-out style."""

import numpy as np
import pytest

from handler.predictor import Predictor
from training.publish import FOLDER
from training.strokes import digits, generate, outliers
from training.strokes.generate import NAMES, NO_DIGIT, Drawings, generate_drawings

HELD_OUT = {*digits.HELD_OUT, *outliers.HELD_OUT}


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    return generate_drawings(240, seed=5, outliers=0.25, processes=1)


def test_images_are_prepared(drawings):
    assert (drawings.images.shape, drawings.images.dtype) == ((240, 28, 28), np.uint8)
    assert drawings.labels.dtype == drawings.styles.dtype == np.int64
    assert (drawings.images.max(axis=(1, 2)) == 255).all()


def test_the_seed_determines_the_drawings(drawings):
    again = generate_drawings(240, seed=5, outliers=0.25, processes=1)
    np.testing.assert_array_equal(drawings.images, again.images)
    other = generate_drawings(20, seed=6, processes=1)
    assert (other.images != drawings.images[:20]).any(axis=(1, 2)).all()


def test_drawings_do_not_depend_on_the_number_of_processes(drawings, monkeypatch):
    monkeypatch.setattr(generate, "CHUNK", 15)
    np.testing.assert_array_equal(generate_drawings(40, seed=5, processes=2).images, drawings.images[:40])


def test_digits_are_balanced_and_outliers_come_last(drawings):
    assert np.bincount(drawings.labels).tolist() == [18] * 10 + [60]
    assert (drawings.labels[-60:] == NO_DIGIT).all()


def test_styles_of_a_digit_are_balanced():
    plan = generate._plan(4_000, 0, held_out=False)
    counts = np.bincount([style for label, style in plan if label == 4])
    assert np.ptp(counts[counts > 0]) <= 1


def test_labels_match_the_styles(drawings):
    for label, style in zip(drawings.labels, drawings.styles, strict=True):
        if label == NO_DIGIT:
            assert NAMES[style] in {kind.name for kind in outliers.KINDS}
        else:
            assert NAMES[style].startswith(f"{label} ")


def test_training_and_held_out_styles_are_disjoint():
    trained = {NAMES[style] for _, style in generate._plan(20_000, 6_000, held_out=False)}
    selection = {NAMES[style] for _, style in generate._plan(20_000, 6_000, held_out=True)}
    assert selection == HELD_OUT
    assert trained == {*NAMES} - HELD_OUT


def test_held_out_drawings_have_held_out_styles():
    held_out = generate_drawings(40, seed=5, outliers=0.5, held_out=True, processes=1)
    assert {NAMES[style] for style in held_out.styles} <= HELD_OUT


def test_an_mnist_model_reads_most_digits_as_labelled(drawings):
    model = Predictor.load(FOLDER / "release" / "mnist-1.0.pt", version="1.0")
    read = np.array([prediction.digit for prediction in model.predict_inputs(list(drawings.images[:180]))])
    assert (read == drawings.labels[:180]).mean() > 0.93
