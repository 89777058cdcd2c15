"""Paths are rendered with a round brush of the given width."""

import numpy as np

from training.strokes.hand import CANVAS
from training.strokes.pen import BRUSHES, draw, render

ACROSS = [np.array([(60.0, 140.0), (140.0, 140.0), (220.0, 140.0)])]


def _pixels(paths, width):
    return np.asarray(render(paths, width))


def test_the_canvas_has_the_size_of_the_page_and_white_ink():
    image = draw(ACROSS, np.random.default_rng(0))
    assert (image.mode, image.size) == ("L", (CANVAS, CANVAS))
    assert image.getextrema() == (0, 255)


def test_a_line_has_the_width_of_the_brush_and_round_ends():
    for width in (6.0, 13.0, 30.0):
        pixels = _pixels(ACROSS, width) > 127
        assert abs(pixels[:, 140].sum() - width) <= 1.5
        assert abs(pixels.any(axis=0).sum() - (160 + width)) <= 2
        assert pixels[:, np.flatnonzero(pixels.any(axis=0))[0]].sum() < 0.7 * width


def test_a_wide_slanting_line_has_no_hairlines():
    slanting = [np.stack([np.linspace(90, 130, 25), np.linspace(30, 250, 25)], axis=1)]
    pixels = _pixels(slanting, 28.0)
    for x, y in slanting[0]:
        assert pixels[round(y) - 3 : round(y) + 4, round(x) - 8 : round(x) + 9].min() == 255


def test_edges_are_antialiased():
    slanting = [np.array([(40.0, 60.0), (200.0, 170.0)])]
    pixels = _pixels(slanting, 15.0)
    assert ((pixels > 0) & (pixels < 255)).sum() > 100


def test_brush_widths_vary():
    widths = [
        int((np.asarray(draw(ACROSS, np.random.default_rng(seed)))[:, 140] > 127).sum()) for seed in range(80)
    ]
    assert BRUSHES[0] - 1 <= min(widths) < 9
    assert 24 < max(widths) <= BRUSHES[1] + 1


def test_a_brush_does_not_fill_a_small_drawing():
    ring = [40 * np.stack([np.cos(t := np.linspace(0, 2 * np.pi, 40)), np.sin(t)], axis=1) + 140]
    for seed in range(40):
        assert np.asarray(draw(ring, np.random.default_rng(seed)))[135:145, 135:145].max() == 0


def test_ink_at_the_edge_stays_on_the_canvas():
    edge = [np.array([(0.0, 0.0), (0.0, 280.0), (280.0, 280.0)])]
    pixels = np.asarray(draw(edge, np.random.default_rng(1)))
    assert pixels.shape == (CANVAS, CANVAS)
    assert pixels[2:-2, 2].min() == 255
