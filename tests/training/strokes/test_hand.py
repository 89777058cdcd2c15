"""Simulated handwriting varies within its limits and stays on the canvas."""

from dataclasses import fields, replace

import numpy as np
import pytest

from training.strokes.figure import parse
from training.strokes.hand import CANVAS, USUAL, Amounts, shape, write

FOUR = parse("34,8 28,34 22,56! 52,57 84,55 / 66,10 65,50 64,95")
BAR = parse("50,5 50,50 50,95")
EXACT = Amounts(**{field.name: 0.0 for field in fields(Amounts)})


def _extent(paths):
    every = np.concatenate(paths)
    return np.ptp(every, axis=0)


def test_the_seed_determines_the_paths():
    first, again, other = (write(FOUR, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_every_drawing_is_on_the_canvas_and_within_the_size_limits():
    sizes = []
    for seed in range(200):
        paths = write(FOUR, np.random.default_rng(seed))
        every = np.concatenate(paths)
        assert every.min() >= -1e-6
        assert every.max() <= CANVAS + 1e-6
        sizes.append(_extent(paths).max() / CANVAS)
    assert 0.3 <= min(sizes) < 0.45
    assert 0.85 < max(sizes) <= 0.98 + 1e-6


def test_positions_vary():
    centres = np.array(
        [np.concatenate(write(FOUR, np.random.default_rng(seed))).mean(axis=0) for seed in range(100)]
    )
    assert (centres.std(axis=0) > 20).all()


def _angles(amounts):
    angles = []
    for seed in range(200):
        (line,) = shape(BAR, np.random.default_rng(seed), amounts)
        x, y = line[-1] - line[0]
        angles.append(np.degrees(np.arctan2(x, y)))
    return np.array(angles)


def test_a_bar_without_variation_is_upright():
    assert np.abs(_angles(EXACT)).max() < 3  # the tremor


def test_rotation_has_a_limit():
    turned = _angles(replace(EXACT, rotation=USUAL.rotation, most_rotation=USUAL.most_rotation))
    assert turned.std() > 3
    assert np.abs(turned).max() < USUAL.most_rotation + 3


@pytest.mark.parametrize(
    "amount", ["point", "stroke", "end", "proportion", "warp", "slant", "rotation", "width", "mean_slant"]
)
def test_each_amount_changes_the_paths(amount):
    changed = replace(EXACT, most_rotation=USUAL.most_rotation, **{amount: 5 * getattr(USUAL, amount)})
    exact, other = (shape(FOUR, np.random.default_rng(3), amounts) for amounts in (EXACT, changed))
    assert any(a.shape != b.shape or np.abs(a - b).max() > 0.3 for a, b in zip(exact, other, strict=False))


def test_some_loops_stay_open():
    ring = parse("50,15 25,25 15,50 25,75 50,85 75,75 85,50 75,25 50,15")
    closing = replace(EXACT, closing=USUAL.closing)
    gaps = [
        float(np.hypot(*(paths[0][0] - paths[-1][-1])))
        for paths in (shape(ring, np.random.default_rng(seed), closing) for seed in range(60))
    ]
    assert min(gaps) < 2
    assert max(gaps) > 4


def test_some_drawings_have_straight_segments():
    few = [paths for seed in range(60) if len((paths := write(FOUR, np.random.default_rng(seed)))[1]) < 20]
    assert 5 < len(few) < 30


def test_a_dot_stays_small():
    for seed in range(30):
        assert _extent(write(parse("50,50 51,51"), np.random.default_rng(seed))).max() < 0.25 * CANVAS
