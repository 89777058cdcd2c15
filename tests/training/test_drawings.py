"""A run's drawings: of styles and of people, in their roles; drawn once, also by an interrupted run."""

import numpy as np
import pytest

from tests.training import synthetic
from training import drawings, pen_data
from training.pen_strokes import PenDrawing
from training.strokes.generate import BY_PEOPLE, NO_DIGIT

LINE = np.array([[0.0, 0.0], [0.0, 50.0], [0.0, 100.0]])
RECIPE = synthetic.quick(
    without_real_drawings=False, renderings=3, drawn_images=20, drawn_none=0.5, validation_images=4
)


@pytest.fixture(autouse=True)
def people(monkeypatch):
    """A 1 and a sign to learn from, and the same of held-out people."""
    found = [
        PenDrawing((LINE,), label, held_out, writer=label)
        for held_out in (False, True)
        for label in (1, NO_DIGIT)
    ]
    monkeypatch.setattr(pen_data, "fetch", lambda: None)
    monkeypatch.setattr(drawings, "pen_strokes", lambda _: found)
    monkeypatch.setattr(drawings, "drawn", synthetic.drawn_once)


def test_people_s_drawings_are_rendered_many_times_to_learn_from_and_once_to_choose_by(tmp_path):
    learned, held_out = drawings.drawings_of(RECIPE, tmp_path)
    assert (len(learned), len(held_out)) == (20 + 2 * 3, 8 + 2)
    for found, times in ((learned, 3), (held_out, 1)):
        by_people = found.styles >= BY_PEOPLE
        assert found.labels[by_people].tolist() == [1, NO_DIGIT] * times
        assert (found.styles[by_people] - BY_PEOPLE == found.labels[by_people]).all()  # their writers
    ones = learned.images[learned.styles == BY_PEOPLE + 1]
    assert len(np.unique(ones, axis=0)) == 3


def test_held_out_people_alone_are_there_unless_files_are_missing(monkeypatch):
    monkeypatch.setattr(pen_data, "missing", lambda _: [])
    found = drawings.held_out_writers()
    assert found.labels.tolist() == [1, NO_DIGIT]
    monkeypatch.setattr(pen_data, "missing", lambda _: [pen_data.PENDIGITS])
    assert drawings.held_out_writers() is None


def test_they_can_be_left_out(tmp_path):
    recipe = synthetic.quick(drawn_images=20, validation_images=4)
    assert recipe.without_real_drawings
    for found in drawings.drawings_of(recipe, tmp_path):
        assert not (found.styles >= BY_PEOPLE).any()


def test_an_interrupted_run_finds_its_drawings_and_another_recipe_does_not(tmp_path, monkeypatch):
    first = drawings.drawings_of(RECIPE, tmp_path)
    monkeypatch.setattr(drawings, "pen_strokes", lambda _: [])
    for again, before in zip(drawings.drawings_of(RECIPE, tmp_path), first, strict=True):
        assert np.array_equal(again.images, before.images)
        assert np.array_equal(again.styles, before.styles)
    other = synthetic.quick(without_real_drawings=True, drawn_images=20, validation_images=4)
    assert drawings.drawings_of(other, tmp_path)[0].styles.max() < BY_PEOPLE
