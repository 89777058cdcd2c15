"""The drawings that are posted: as many as promised, and pictures that any decoder reads alike."""

import io

import numpy as np
from PIL import Image

from benchmarks.drawings import SIDE, canvas, canvases, encoded


def test_a_canvas_comes_back_from_its_png_pixel_by_pixel():
    drawn = canvas(5, 18, 0.7, (9, -7))
    read = Image.open(io.BytesIO(encoded(drawn)))
    assert (read.mode, read.size) == ("RGBA", (SIDE, SIDE))
    assert np.array_equal(np.asarray(read), np.asarray(drawn))


def test_no_two_of_them_are_the_same():
    bodies = canvases()
    assert len(bodies) == len(set(bodies)) == 60
