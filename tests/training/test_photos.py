"""Generated photos, scans and screenshots: every kind can be made, and preprocessing finds the digit in clear ones."""

import numpy as np
import pytest

from handler.predictor import Prediction
from handler.preprocessing import candidates, preprocess
from training.photos import KINDS, measure
from training.photos.measure import Row, draw_sheet, pictures, table

# A 4 of two strokes: no rotation or reflection turns it into another digit.
FOUR = [
    np.array([[60.0, 0.0], [40.0, 35.0], [5.0, 65.0], [50.0, 66.0], [95.0, 65.0]]),
    np.array([[70.0, 40.0], [67.0, 70.0], [65.0, 100.0]]),
]
# The network's input of the same digit on a plain canvas.
EXPECTED = preprocess(KINDS["clean_canvas"].make(FOUR, np.random.default_rng(0)))
# Kinds with too few pixels for the shape, or with a mark on top of it.
COARSE = {
    "values_0_1",
    "values_0_16",
    "picture_8x8",
    "picture_8x8_inverted",
    "picture_16x16",
    "whiteboard_glare",
}
CLEAR = sorted(
    name for name, kind in KINDS.items() if kind.digit and not kind.may_refuse and name not in COARSE
)


def correlate(one: np.ndarray, other: np.ndarray) -> float:
    """The largest correlation of two network inputs over shifts of up to two pixels."""
    shifts = [(rows, columns) for rows in range(-2, 3) for columns in range(-2, 3)]
    return max(
        float(np.corrcoef(np.roll(one, shift, (0, 1)).ravel(), other.ravel())[0, 1]) for shift in shifts
    )


@pytest.mark.parametrize("kind", CLEAR)
def test_the_digit_is_among_the_candidates(kind):
    found = candidates(KINDS[kind].make(FOUR, np.random.default_rng(5)))
    assert 1 <= len(found) <= 3
    assert max(correlate(candidate.pixels, EXPECTED) for candidate in found) > 0.55


@pytest.mark.parametrize("kind", ["lamp", "palette", "form_two_sides", "frame_alone"])
def test_a_picture_is_the_same_for_the_same_seed(kind):
    (one, label), (again, _) = (pictures(kind, [(FOUR, 4)], 1, seed=3)[0] for _ in range(2))
    assert label == 4
    assert one.tobytes() == again.tobytes()


def test_two_digits_are_reported_as_several():
    found = candidates(KINDS["two_digits"].make(FOUR, np.random.default_rng(0)))
    assert found[0].ink.several


@pytest.mark.parametrize("kind", ["blank_sheet", "rules_alone"])
def test_empty_paper_seldom_has_a_candidate(kind):
    found = [candidates(KINDS[kind].make(FOUR, np.random.default_rng(seed))) for seed in range(4)]
    assert sum(len(candidate) == 0 for candidate in found) >= 2


def test_the_table_has_a_row_per_kind_and_the_mean():
    lines = table([Row("lamp", 1.0, 0.0, 0.0), Row("desk", 0.5, 0.25, 0.1)]).splitlines()
    assert lines[1].split() == ["lamp", "100.0%", "0.0%", "0.0%"]
    assert lines[-1].split() == ["mean", "75.0%", "12.5%", "5.0%"]


def test_no_digit_is_a_correct_answer_for_some_kinds_only(monkeypatch):
    class Refuses:
        def predict(self, images):
            return [predictor_answer(False)] * len(images)

    class SureOfFour:
        def predict(self, images):
            return [predictor_answer(True)] * len(images)

    monkeypatch.setattr(
        measure, "KINDS", {name: KINDS[name] for name in ("clean_canvas", "circled", "blank_sheet")}
    )
    refused = measure.measure(Refuses(), [(FOUR, 4)], 2)
    assert [(row.right, row.refused, row.sure_wrong) for row in refused] == [(0, 1, 0), (1, 1, 0), (1, 1, 0)]
    sure = measure.measure(SureOfFour(), [(FOUR, 4)], 2)
    assert [(row.right, row.refused, row.sure_wrong) for row in sure] == [(1, 0, 0), (1, 0, 0), (0, 0, 1)]


def predictor_answer(is_digit: bool):
    return Prediction(4, 0.99, [0.0] * 10, is_digit, 0.9, "1", "")


def test_the_contact_sheet_shows_each_kind(monkeypatch):
    few = {name: KINDS[name] for name in ("clean_canvas", "sixteen_bits", "blank_sheet")}
    monkeypatch.setattr(measure, "KINDS", few)
    sheet = draw_sheet([(FOUR, 4)], columns=1)
    cells = np.asarray(sheet).reshape(len(few), -1)
    assert (cells.min(axis=1) < 255).all()
