"""Photos of paper on a desk, and of what is no white paper."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.photos.paper import rules
from training.photos.scene import (
    Real,
    Rng,
    Size,
    Strokes,
    grain,
    jpeg,
    kind,
    lay,
    light,
    mask,
    pen,
    photo,
    sheet,
    smooth_noise,
    written,
)


def on_desk(strokes: Strokes, rng: Rng, tilt: float, desk: Callable[[Size, Rng], Real]) -> Image.Image:
    size = (675, 900)
    w, h = size
    layer = Image.new("L", (w * 2, h * 2))
    sw, sh = rng.uniform(0.5, 0.7) * w, rng.uniform(0.4, 0.65) * h
    cx, cy = w * rng.uniform(0.44, 0.56), h * rng.uniform(0.44, 0.56)
    a = np.deg2rad(tilt)
    corners = [
        (
            cx + dx * sw / 2 * np.cos(a) - dy * sh / 2 * np.sin(a),
            cy + dx * sw / 2 * np.sin(a) + dy * sh / 2 * np.cos(a),
        )
        for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    ImageDraw.Draw(layer).polygon([(2 * x, 2 * y) for x, y in corners], fill=255)
    alpha = np.asarray(layer.reduce(2), np.float32) / 255
    height = rng.uniform(0.4, 0.65) * min(sw, sh)
    m = mask(strokes, size, height, max(3, rng.uniform(0.05, 0.1) * height), (cx / w, cy / h))
    sheet_ = lay(sheet(size, (238, 236, 230)), m, pen(rng))
    picture = desk(size, rng) * (1 - alpha[..., None]) + sheet_ * alpha[..., None]
    return jpeg(grain(picture * light(size, rng, 0.75, 1), rng, 3), rng)


def wood(size: Size, rng: Rng) -> Real:
    w, h = size
    y = np.mgrid[0:h, 0:w][0].astype(np.float32)
    waves = np.sin(
        y / rng.uniform(5, 14) + 3 * smooth_noise(size, rng, 6) + 0.5 * smooth_noise(size, rng, 30)
    )
    return np.asarray((110, 70, 40), np.float32) * (1 + 0.18 * waves[..., None])


def plain_desk(size: Size, rng: Rng) -> Real:
    return (
        sheet(size, [(60, 45, 40), (40, 40, 45), (90, 95, 100), (120, 85, 60), (30, 60, 50)][rng.integers(5)])
        + 2 * smooth_noise(size, rng, 30)[..., None]
    )


@kind()
def sheet_on_desk(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_desk(strokes, rng, 0, wood)


@kind()
def sheet_tilt_2(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_desk(strokes, rng, rng.choice([-2, 2]), plain_desk)


@kind()
def sheet_tilt_6(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_desk(strokes, rng, rng.choice([-6, 6]), plain_desk)


@kind()
def sheet_tilt_15(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_desk(strokes, rng, rng.choice([-15, 15]), plain_desk)


@kind()
def sheet_wood_tilt_10(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_desk(strokes, rng, rng.uniform(-12, 12), wood)


@kind()
def sticky_note(strokes: Strokes, rng: Rng) -> Image.Image:
    return photo(
        strokes,
        rng,
        paper=[(250, 235, 110), (255, 170, 190), (150, 225, 160), (150, 205, 245)][rng.integers(4)],
        low=0.3,
        high=0.55,
    )


@kind()
def cardboard(strokes: Strokes, rng: Rng) -> Image.Image:
    return photo(
        strokes,
        rng,
        paper=(175, 135, 95),
        colour=[(30, 25, 25), (20, 30, 90)][rng.integers(2)],
        low=0.25,
        high=0.5,
        thick=0.12,
    )


@kind()
def chalkboard(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (900, 675)
    picture = (
        sheet(size, [(35, 70, 55), (40, 42, 45)][rng.integers(2)]) + 8 * smooth_noise(size, rng, 7)[..., None]
    )
    m = written(strokes, size, rng, low=0.3, high=0.5, spread=0.15, thin=0.05, thick=0.08) * (
        0.75 + 0.25 * rng.random((size[1], size[0]), np.float32)
    )
    return jpeg(grain(lay(picture, m, (225, 225, 220)) * light(size, rng, 0.7, 1), rng), rng)


@kind()
def thumb_in_corner(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (675, 900)
    picture = lay(
        sheet(size, (235,) * 3), written(strokes, size, rng, low=0.15, high=0.3, spread=0.1), pen(rng)
    )
    layer = Image.new("L", size)
    x, y = rng.choice([0, 675]), rng.choice([0, 900])
    ImageDraw.Draw(layer).ellipse([x - 130, y - 170, x + 130, y + 170], fill=255)
    a = np.asarray(layer.filter(ImageFilter.GaussianBlur(6)), np.float32) / 255
    return jpeg(grain(lay(picture, a, (190, 130, 105)) * light(size, rng, 0.75, 1), rng), rng)


@kind()
def spiral_notebook(strokes: Strokes, rng: Rng) -> Image.Image:
    def holes(p: Real, z: Size, r: Rng) -> Real:
        layer = Image.new("L", z)
        d = ImageDraw.Draw(layer)
        for y in range(20, z[1], 45):
            d.ellipse([12, y, 34, y + 22], fill=255)
        return lay(rules(p, r, (170, 185, 210), 1, 38), np.asarray(layer, np.float32) / 255, (50, 45, 45))

    return photo(strokes, rng, low=0.15, high=0.3, behind=holes)


@kind()
def crumpled(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (675, 900)
    fold = np.abs(smooth_noise(size, rng, 9)) * 0.25 + 0.1 * np.tanh(20 * smooth_noise(size, rng, 5))
    picture = (
        lay(sheet(size, (238,) * 3), written(strokes, size, rng, low=0.2, high=0.4), pen(rng))
        * (0.8 + 0.3 * fold)[..., None]
    )
    return jpeg(grain(picture, rng), rng)
