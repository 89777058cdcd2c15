"""Photos of paper on a desk, and of other surfaces than white paper."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.photos.paper import rules
from training.photos.scene import (
    LANDSCAPE,
    PORTRAIT,
    Real,
    Rng,
    Size,
    Strokes,
    add_kinds,
    as_alpha,
    camera,
    digit_ink,
    kind,
    lay,
    light,
    mask,
    pen_colour,
    photo,
    sheet,
    sheet_with_digit,
    smooth_noise,
)  # fmt: skip


def on_desk(strokes: Strokes, rng: Rng, tilt: float, desk: Callable[[Size, Rng], Real]) -> Image.Image:
    """A photo of a small sheet, turned by `tilt` degrees, on a desk."""
    w, h = size = PORTRAIT
    layer = Image.new("L", (w * 2, h * 2))
    sw, sh = rng.uniform(0.5, 0.7) * w, rng.uniform(0.4, 0.65) * h
    cx, cy = w * rng.uniform(0.44, 0.56), h * rng.uniform(0.44, 0.56)
    a = np.deg2rad(tilt)
    sides = [(dx * sw / 2, dy * sh / 2) for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    corners = [(cx + x * np.cos(a) - y * np.sin(a), cy + x * np.sin(a) + y * np.cos(a)) for x, y in sides]
    ImageDraw.Draw(layer).polygon([(2 * x, 2 * y) for x, y in corners], fill=255)
    alpha = as_alpha(layer.reduce(2))
    height = rng.uniform(0.4, 0.65) * min(sw, sh)
    m = mask(strokes, size, height, max(3, rng.uniform(0.05, 0.1) * height), (cx / w, cy / h))
    sheet_ = lay(sheet(size, (238, 236, 230)), m, pen_colour(rng))
    picture = desk(size, rng) * (1 - alpha[..., None]) + sheet_ * alpha[..., None]
    return camera(picture * light(size, rng, 0.75, 1), rng, 3)


def wood(size: Size, rng: Rng) -> Real:
    w, h = size
    y = np.mgrid[0:h, 0:w][0].astype(np.float32)
    grain = y / rng.uniform(5, 14) + 3 * smooth_noise(size, rng, 6) + 0.5 * smooth_noise(size, rng, 30)
    waves = np.sin(grain)
    return np.asarray((110, 70, 40), np.float32) * (1 + 0.18 * waves[..., None])


def plain_desk(size: Size, rng: Rng) -> Real:
    colours = [(60, 45, 40), (40, 40, 45), (90, 95, 100), (120, 85, 60), (30, 60, 50)]
    return sheet(size, colours[rng.integers(5)]) + 2 * smooth_noise(size, rng, 30)[..., None]


add_kinds(
    {
        "sheet_on_desk": lambda strokes, rng: on_desk(strokes, rng, 0, wood),
        "sheet_tilt_2": lambda strokes, rng: on_desk(strokes, rng, rng.choice([-2, 2]), plain_desk),
        "sheet_tilt_6": lambda strokes, rng: on_desk(strokes, rng, rng.choice([-6, 6]), plain_desk),
        "sheet_tilt_15": lambda strokes, rng: on_desk(strokes, rng, rng.choice([-15, 15]), plain_desk),
        "sheet_wood_tilt_10": lambda strokes, rng: on_desk(strokes, rng, rng.uniform(-12, 12), wood),
    }
)


@kind()
def sticky_note(strokes: Strokes, rng: Rng) -> Image.Image:
    papers = [(250, 235, 110), (255, 170, 190), (150, 225, 160), (150, 205, 245)]
    return photo(strokes, rng, paper=papers[rng.integers(4)], low=0.3, high=0.55)


@kind()
def cardboard(strokes: Strokes, rng: Rng) -> Image.Image:
    colour = [(30, 25, 25), (20, 30, 90)][rng.integers(2)]
    return photo(strokes, rng, paper=(175, 135, 95), colour=colour, low=0.25, high=0.5, thick=0.12)


@kind()
def chalkboard(strokes: Strokes, rng: Rng) -> Image.Image:
    w, h = size = LANDSCAPE
    picture = (
        sheet(size, [(35, 70, 55), (40, 42, 45)][rng.integers(2)]) + 8 * smooth_noise(size, rng, 7)[..., None]
    )
    m = digit_ink(strokes, size, rng, low=0.3, high=0.5, spread=0.15, thin=0.05)
    m = m * (0.75 + 0.25 * rng.random((h, w), np.float32))
    return camera(lay(picture, m, (225, 225, 220)) * light(size, rng, 0.7, 1), rng)


@kind()
def frosted_glass(strokes: Strokes, rng: Rng) -> Image.Image:
    """Faint strokes of a finger on a pane whose brightness varies as much as the strokes do."""
    cloudy = 18 * smooth_noise(LANDSCAPE, rng, 12) + 6 * smooth_noise(LANDSCAPE, rng, 120)
    m = digit_ink(strokes, LANDSCAPE, rng, low=0.3, high=0.6, thin=0.08, thick=0.14)
    return camera(lay(sheet(LANDSCAPE, (150, 165, 175)) + cloudy[..., None], 0.6 * m, (70, 80, 90)), rng)


@kind()
def thumb_in_corner(strokes: Strokes, rng: Rng) -> Image.Image:
    picture = sheet_with_digit(strokes, PORTRAIT, rng, high=0.3, spread=0.1)
    layer = Image.new("L", PORTRAIT)
    x, y = rng.choice([0, 675]), rng.choice([0, 900])
    ImageDraw.Draw(layer).ellipse([x - 130, y - 170, x + 130, y + 170], fill=255)
    a = as_alpha(layer.filter(ImageFilter.GaussianBlur(6)))
    return camera(lay(picture, a, (190, 130, 105)) * light(PORTRAIT, rng, 0.75, 1), rng)


@kind()
def spiral_notebook(strokes: Strokes, rng: Rng) -> Image.Image:
    def holes(p: Real, z: Size, r: Rng) -> Real:
        layer = Image.new("L", z)
        d = ImageDraw.Draw(layer)
        for y in range(20, z[1], 45):
            d.ellipse([12, y, 34, y + 22], fill=255)
        return lay(rules(p, r, (170, 185, 210), 1, 38), as_alpha(layer), (50, 45, 45))

    return photo(strokes, rng, low=0.15, high=0.3, behind=holes)


@kind()
def crumpled(strokes: Strokes, rng: Rng) -> Image.Image:
    fold = np.abs(smooth_noise(PORTRAIT, rng, 9)) * 0.25 + 0.1 * np.tanh(20 * smooth_noise(PORTRAIT, rng, 5))
    return camera(sheet_with_digit(strokes, PORTRAIT, rng, 238, low=0.2) * (0.8 + 0.3 * fold)[..., None], rng)
