"""The outline of a digit is read as the digit, and a thin digit stays as it is."""

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from handler.hollow import FILLED
from handler.predictor import Predictor
from handler.preprocessing import candidates, preprocess
from tests.handler.drawings import difference, drawing, photo
from training.archive.pack import RELEASED_CHECKPOINT

# Boxes of the loops, and the line below or above them.
LOOPS = {
    "0": ([(70, 40, 190, 240)], []),
    "narrow 0": ([(100, 40, 180, 240)], []),
    "6": ([(80, 130, 180, 240)], [(160, 40), (110, 90), (82, 180)]),
    "8": ([(90, 40, 180, 135), (80, 130, 190, 240)], []),
    "9": ([(80, 40, 180, 150)], [(178, 100), (170, 170), (130, 240)]),
}


def draw_loops(name: str, brush: int) -> Image.Image:
    image = Image.new("L", (280, 280))
    pen, (loops, line) = ImageDraw.Draw(image), LOOPS[name]
    for box in loops:
        pen.ellipse(box, outline=255, width=brush)
    pen.line(line, fill=255, width=brush)
    return image


def outline(mask: Image.Image, inside: int = 1) -> Image.Image:
    """The outline of the ink, two pixels outside of its edge and `inside` pixels within."""
    inner = mask.filter(ImageFilter.MinFilter(2 * inside + 1))
    return ImageChops.subtract(mask.filter(ImageFilter.MaxFilter(5)), inner)


def filled(mask: Image.Image) -> np.ndarray:
    """The network's input of the digit that the outline surrounds."""
    return preprocess(mask.filter(ImageFilter.MaxFilter(5)))


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("thick", [*(drawing(digit, brush=34) for digit in (2, 4, 7)), draw_loops("0", 34)],
                         ids=["2", "4", "7", "0"])  # fmt: skip
def test_an_outline_is_filled(thick, inverted):
    hollow = outline(thick)
    digit, unfilled = candidates(ImageOps.invert(hollow) if inverted else hollow)
    assert difference(digit.pixels, filled(thick)) < 6.0
    assert difference(unfilled.pixels, filled(thick)) > 20.0
    assert digit.ink.score == FILLED * unfilled.ink.score
    assert digit.ink.box == unfilled.ink.box


@pytest.mark.parametrize("inside", [4, 8])
@pytest.mark.parametrize("digit", [2, 4, 7])
def test_a_thick_outline_is_filled(digit, inside):
    thick = drawing(digit, brush=34)
    assert difference(preprocess(outline(thick, inside)), filled(thick)) < 6.0


def test_the_outline_of_a_slanted_1_is_filled():
    thick = Image.new("L", (280, 280))
    ImageDraw.Draw(thick).line([(170, 40), (120, 240)], fill=255, width=34)
    assert difference(preprocess(outline(thick, 4)), filled(thick)) < 6.0


def test_an_outline_in_a_photo_is_filled():
    thick = drawing(7, brush=34)
    assert difference(preprocess(photo(outline(thick), light="behind a shadow")), filled(thick)) < 6.0


@pytest.mark.parametrize("brush", [2, 4, 8, 12])
@pytest.mark.parametrize("name", ["0", "6", "8", "9"])
def test_a_loop_is_not_filled(name, brush):
    assert len(candidates(draw_loops(name, brush))) == 1


@pytest.mark.parametrize("brush", [2, 4, 8])
def test_a_narrow_0_remains_a_0(brush):
    """It can be the outline of a 1; the network decides."""
    answer = Predictor.load(RELEASED_CHECKPOINT, "2.0").predict([draw_loops("narrow 0", brush)])[0]
    assert (answer.digit, answer.is_digit) == (0, True)


@pytest.mark.parametrize("brush", [2, 12])
@pytest.mark.parametrize("digit", [2, 4, 7])
def test_a_thin_stroke_is_no_outline(digit, brush):
    [only] = candidates(drawing(digit, brush=brush))
    assert np.array_equal(only.ink.layer > 0, np.asarray(drawing(digit, brush=brush)) > 51)
