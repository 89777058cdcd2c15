"""Pen strokes by people: variations for training, originals for selection."""

import numpy as np
import pytest

from training.strokes import people
from training.strokes.hand import CANVAS

# A seven of two strokes from a tablet: many samples, far from the origin.
TOP = np.stack([np.linspace(900, 1300, 60), np.full(60, 4000.0)], axis=1)
LEG = np.stack([np.linspace(1300, 1050, 80), np.linspace(4000, 4700, 80)], axis=1)
SEVEN = (TOP, LEG)


def _box(image):
    rows, columns = (np.flatnonzero(np.asarray(image).any(axis=axis)) for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize("draw", [people.draw_variation, people.draw_original])
def test_the_seed_determines_the_drawing(draw):
    first, same, other = (np.asarray(draw(SEVEN, np.random.default_rng(seed))) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_variations_differ_in_size_and_ink():
    images = [people.draw_variation(SEVEN, np.random.default_rng(seed)) for seed in range(30)]
    assert all(image.size == (CANVAS, CANVAS) for image in images)
    heights = [bottom - top for top, bottom, _, _ in map(_box, images)]
    assert min(heights) < 0.55 * CANVAS < 0.75 * CANVAS < max(heights)
    ink = [np.asarray(image).mean() for image in images]
    assert max(ink) > 3 * min(ink)


def test_originals_keep_their_shape_and_the_brush_of_the_page():
    for seed in range(10):
        image = np.asarray(people.draw_original(SEVEN, np.random.default_rng(seed)))
        top, bottom, left, right = _box(image)
        brush = np.count_nonzero(image[:, (4 * left + right) // 5] > 127)  # of the horizontal line
        assert 14 <= brush <= 24
        height, width = bottom - top + 1 - brush, right - left + 1 - brush
        assert height / width == pytest.approx(700 / 400, rel=0.1)
        assert 0.35 * CANVAS < height < 0.85 * CANVAS


def test_dropped_samples_keep_the_ends_and_smoothing_reduces_tremor():
    rng = np.random.default_rng(0)
    lost = people._drop_samples(LEG, 0.2, rng)
    assert len(lost) < 0.4 * len(LEG)
    assert np.array_equal(lost[[0, -1]], LEG[[0, -1]])
    trembling = LEG + rng.normal(0, 10, LEG.shape)
    smooth = people._smooth(trembling, 5)
    assert len(smooth) == len(LEG)
    assert np.abs(smooth - LEG).mean() < 0.7 * np.abs(trembling - LEG).mean()


def test_a_dot_is_drawn():
    for draw in (people.draw_variation, people.draw_original):
        assert np.asarray(draw((np.array([[500.0, 500.0]]),), np.random.default_rng(0))).any()
