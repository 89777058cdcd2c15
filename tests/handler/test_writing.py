"""The groups of writing: a digit at several thresholds, a stripe of light, and noise."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from handler.writing import HIGHEST_FLOOR, groups, noise_floor


def draw_zero(faint: int) -> np.ndarray:
    """The contrast of a 0 of 220, with a faint part on its left side."""
    image = Image.new("L", (300, 300))
    ImageDraw.Draw(image).ellipse([110, 90, 190, 210], outline=220, width=8)
    strength = np.array(image)
    strength[130:170, 100:130][strength[130:170, 100:130] > 0] = faint
    return strength


@pytest.mark.parametrize("flat", [False, True])
def test_a_stroke_that_is_faint_in_a_part_stays_whole(flat):
    strength = draw_zero(faint=70)
    [group] = groups(strength, 30, flat=flat)
    assert np.count_nonzero(group.mask) == np.count_nonzero(strength)


def test_a_part_below_the_floor_is_no_ink():
    strength = draw_zero(faint=70)
    [group] = groups(strength, 90)
    assert np.count_nonzero(group.mask) == np.count_nonzero(strength > 90)


def test_a_lying_stripe_has_a_lower_score_than_a_standing_one():
    strength = np.zeros((300, 300), np.uint8)
    strength[140:160, 100:200] = 200
    [lying], [standing] = groups(strength, 30), groups(strength.T.copy(), 30)
    assert lying.score < 0.3 * standing.score


def test_a_rough_surface_does_not_hide_a_faint_stroke():
    """A finger on a wet pane has a contrast of 80."""
    rough = np.random.default_rng(0).integers(0, 120, (300, 300)).astype(np.uint8)
    assert noise_floor(rough) == HIGHEST_FLOOR < 80


def test_scattered_grains_are_no_digit():
    strength = np.zeros((300, 300), np.uint8)
    strength[140:146, 140:146] = 200
    for left, top in ((128, 130), (150, 132), (134, 152)):
        strength[top : top + 5, left : left + 5] = 180
    assert groups(strength, 30) == []
