"""Cells of forms, and scans."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from training.photos.scene import (
    SMALL_PORTRAIT,
    Colour,
    Real,
    Rng,
    Strokes,
    add_kinds,
    camera,
    centre_of,
    digit_ink,
    image,
    kind,
    lay,
    light,
    mask,
    png,
    sheet,
    sheet_with_digit,
)

Draw: TypeAlias = Callable[[ImageDraw.ImageDraw, Rng], object]
CELL, BASELINE_CELL, SCAN = (200, 200), (300, 200), (300, 400)


def form(
    strokes: Strokes, rng: Rng, draw: Draw, colour: Colour = (30, 30, 35), high: float = 0.62
) -> Image.Image:
    """A cell with a digit of at most `high` of its height; `draw` prints on it."""
    height = rng.uniform(0.4, high) * CELL[1]
    thickness = rng.uniform(0.06, 0.14) * height
    ink = mask(strokes, CELL, height, thickness, centre_of(rng, 0.06))
    made = image(lay(sheet(CELL, 255), ink, colour))
    draw(ImageDraw.Draw(made), rng)
    return made


def frame(inset: int, colour: tuple[int, int, int], widest: int) -> Draw:
    """A function that draws the frame of a cell, 1 to `widest` pixels wide."""
    box = (inset, inset, 199 - inset, 199 - inset)
    return lambda d, r: d.rectangle(box, outline=colour, width=int(r.integers(1, widest + 1)))


def sides(count: int) -> Draw:
    """A function that draws `count` sides of a frame."""

    def draw(d: ImageDraw.ImageDraw, r: Rng) -> None:
        for i in r.permutation(4)[:count]:
            o, wd = int(r.integers(2, 10)), int(r.integers(2, 5))
            line = [(0, o, 200, o), (0, 199 - o, 200, 199 - o), (o, 0, o, 200), (199 - o, 0, 199 - o, 200)][i]
            d.line(line, fill=(30, 30, 40), width=wd)

    return draw


def pink_box(d: ImageDraw.ImageDraw, _: Rng) -> None:
    d.rectangle([14, 14, 185, 185], outline=(245, 170, 170), width=3)


def comb(d: ImageDraw.ImageDraw, _: Rng) -> None:
    d.line([0, 170, 200, 170], fill=(60, 60, 60), width=2)
    for x in (20, 180):
        d.line([x, 120, x, 170], fill=(60, 60, 60), width=2)


add_kinds(
    {
        "form_box": lambda strokes, rng: png(form(strokes, rng, frame(12, (40, 40, 40), 3))),
        "form_box_at_edge": lambda strokes, rng: png(form(strokes, rng, frame(1, (30, 30, 50), 4))),
        "form_one_side": lambda strokes, rng: png(form(strokes, rng, sides(1))),
        "form_one_side_jpeg": lambda strokes, rng: camera(form(strokes, rng, sides(1)), rng, 2),
        "form_two_sides": lambda strokes, rng: camera(form(strokes, rng, sides(2)), rng, 2),
        "form_pink_box": lambda strokes, rng: png(form(strokes, rng, pink_box, (25, 35, 120))),
        "form_comb": lambda strokes, rng: png(form(strokes, rng, comb, high=0.5)),
    }
)


@kind()
def form_baseline(strokes: Strokes, rng: Rng) -> Image.Image:
    h = rng.uniform(0.45, 0.6) * 200
    m = mask(strokes, BASELINE_CELL, h, rng.uniform(4, 9), (0.5, 0.42))
    made = image(lay(sheet(BASELINE_CELL, 255), m, (35, 35, 40)))
    y = int(0.42 * 200 + h / 2 + rng.uniform(2, 14))
    ImageDraw.Draw(made).line([40, y, 260, y], fill=(60, 60, 60), width=2)
    return png(made)


def scan_ink(strokes: Strokes, rng: Rng, spread: float = 0.2) -> Real:
    """Share of ink, (h, w), of a digit on a scanned sheet."""
    return digit_ink(strokes, SCAN, rng, low=0.2, high=0.4, spread=spread, thin=0.04, thick=0.08)


def add_dust(picture: Real, rng: Rng, most: int) -> Real:
    """The picture with 5 to `most` - 1 dark specks, drawn in place."""
    for _ in range(int(rng.integers(5, most))):
        x, y, side = rng.integers(0, 297), rng.integers(0, 397), rng.integers(1, 4)
        picture[y : y + side, x : x + side] *= rng.uniform(0.2, 0.8)
    return picture


@kind()
def bw_scan_dust(strokes: Strokes, rng: Rng) -> Image.Image:
    bw = np.where(scan_ink(strokes, rng) > 0.5, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(5, 40))):
        x, y, r = rng.integers(0, 298), rng.integers(0, 398), rng.integers(1, 3)
        bw[y : y + r, x : x + r] = 0
    return png(Image.fromarray(bw), "1")


@kind()
def fax_dither(strokes: Strokes, rng: Rng) -> Image.Image:
    picture = sheet_with_digit(strokes, SMALL_PORTRAIT, rng, low=0.3, high=0.5, thin=0.05)
    return png(image(picture * light(SMALL_PORTRAIT, rng, 0.75)), "1")


@kind()
def grey_scan_dust(strokes: Strokes, rng: Rng) -> Image.Image:
    picture = lay(sheet(SCAN, 247), scan_ink(strokes, rng), (40, 40, 45))
    return camera(add_dust(picture, rng, 25), rng, 2)


@kind()
def scan_black_edge(strokes: Strokes, rng: Rng) -> Image.Image:
    picture = lay(sheet(SCAN, 244), scan_ink(strokes, rng, spread=0.15), (40, 40, 45))
    w, side = int(rng.integers(8, 40)), rng.integers(4)
    edges = (picture[:, :w], picture[:, -w:], picture[:w], picture[-w:])
    edges[side][:] = 12
    return camera(picture, rng, 2)
