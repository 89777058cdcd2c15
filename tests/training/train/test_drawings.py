"""The drawings of a run: generated and real, for training and for selection, cached for a resumed run."""

import numpy as np
import pytest

from tests.training import synthetic
from training.data import pen_data
from training.data.pen_strokes import PenDrawing
from training.strokes.generate import FIRST_WRITER_STYLE, NO_DIGIT
from training.train import drawings

LINE = np.array([[0.0, 0.0], [0.0, 50.0], [0.0, 100.0]])
RECIPE = synthetic.quick(
    without_real_drawings=False, renderings=3, drawn_images=20, drawn_none=0.5, validation_images=4
)


@pytest.fixture(autouse=True)
def people(monkeypatch):
    """A 1 and a sign by a training writer, and the same by a held-out writer."""
    found = [
        PenDrawing((LINE,), label, held_out, writer=label)
        for held_out in (False, True)
        for label in (1, NO_DIGIT)
    ]
    monkeypatch.setattr(pen_data, "fetch", lambda: None)
    monkeypatch.setattr(drawings, "load_pen_strokes", lambda _: found)
    monkeypatch.setattr(drawings, "generate_drawings", synthetic.generate_cached)


def test_real_drawings_are_rendered_many_times_for_training_and_once_for_selection(tmp_path):
    learned, held_out = drawings.prepare_drawings(RECIPE, tmp_path)
    assert (len(learned), len(held_out)) == (20 + 2 * 3, 8 + 2)
    for found, times in ((learned, 3), (held_out, 1)):
        by_people = found.styles >= FIRST_WRITER_STYLE
        assert found.labels[by_people].tolist() == [1, NO_DIGIT] * times
        assert (
            found.styles[by_people] - FIRST_WRITER_STYLE == found.labels[by_people]
        ).all()  # their writers
    ones = learned.images[learned.styles == FIRST_WRITER_STYLE + 1]
    assert len(np.unique(ones, axis=0)) == 3


def test_held_out_writers_are_none_if_files_are_missing(monkeypatch):
    monkeypatch.setattr(pen_data, "missing_files", lambda _: [])
    found = drawings.load_held_out_writers()
    assert found.labels.tolist() == [1, NO_DIGIT]
    monkeypatch.setattr(pen_data, "missing_files", lambda _: [pen_data.PENDIGITS])
    assert drawings.load_held_out_writers() is None


def test_real_drawings_are_optional(tmp_path):
    recipe = synthetic.quick(drawn_images=20, validation_images=4)
    assert recipe.without_real_drawings
    for found in drawings.prepare_drawings(recipe, tmp_path):
        assert not (found.styles >= FIRST_WRITER_STYLE).any()


def test_the_cache_is_reused_by_the_same_recipe_alone(tmp_path, monkeypatch):
    first = drawings.prepare_drawings(RECIPE, tmp_path)
    monkeypatch.setattr(drawings, "load_pen_strokes", lambda _: [])
    for again, before in zip(drawings.prepare_drawings(RECIPE, tmp_path), first, strict=True):
        assert np.array_equal(again.images, before.images)
        assert np.array_equal(again.styles, before.styles)
    other = synthetic.quick(without_real_drawings=True, drawn_images=20, validation_images=4)
    assert drawings.prepare_drawings(other, tmp_path)[0].styles.max() < FIRST_WRITER_STYLE
