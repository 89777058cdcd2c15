"""The known digits are rendered from their strokes as on the page's canvas."""

import runpy

import numpy as np
import pytest
from PIL import Image

from training import known_digits


@pytest.mark.parametrize("digit", range(10))
def test_the_picture_matches_the_strokes(digit):
    with Image.open(known_digits.FOLDER / f"{digit}.png") as picture:
        assert picture.mode == "L"
        assert picture.size == (280, 280)
        difference = np.abs(np.asarray(picture, dtype=int) - np.asarray(known_digits.draw(digit), dtype=int))
    assert difference.mean() < 0.5  # Pillow versions round edges differently


@pytest.mark.parametrize("digit", range(10))
def test_a_digit_is_white_on_black_inside_the_canvas(digit):
    pixels = np.asarray(known_digits.draw(digit))
    assert pixels.max() == 255
    assert not any(side.any() for side in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    assert 0.02 < (pixels > 127).mean() < 0.2


def test_the_brush_is_round_and_has_the_given_width():
    point = [np.array([[50.0, 50.0]])]
    for brush in (10, 20):
        inked = (np.asarray(known_digits.draw_curves(point, brush)) / 255).sum()
        assert inked == pytest.approx(np.pi * brush**2 / 4, rel=0.05)


def test_a_closed_stroke_has_no_corner_at_its_ends():
    [loop] = known_digits.curves(0)
    begin, end = loop[1] - loop[0], loop[-1] - loop[-2]
    cosine = begin @ end / np.linalg.norm(begin) / np.linalg.norm(end)
    assert cosine > 0.95


def test_the_command_writes_all_ten(tmp_path, monkeypatch):
    monkeypatch.setattr(known_digits, "FOLDER", tmp_path)
    runpy.run_module("training.known_digits", run_name="__main__")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{digit}.png" for digit in range(10)]
