"""Photos of paper under different light, with printed lines and other marks."""

from functools import partial
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.photos.scene import (
    PORTRAIT,
    SMALL_PORTRAIT,
    Colour,
    Real,
    Rng,
    Size,
    Strokes,
    add_kinds,
    as_alpha,
    camera,
    centre_of,
    digit_ink,
    kind,
    lay,
    light,
    mask,
    pen_colour,
    photo,
    sheet,
    sheet_with_digit,
)  # fmt: skip

Range: TypeAlias = tuple[float, float]


add_kinds({"plain_paper": photo})


@kind()
def lamp(strokes: Strokes, rng: Rng) -> Image.Image:
    y, x = np.mgrid[0:900, 0:675].astype(np.float32)
    cx, cy = rng.uniform(0.2, 0.8) * 675, rng.uniform(0.2, 0.8) * 900
    spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * (rng.uniform(250, 500)) ** 2))
    return camera(sheet_with_digit(strokes, PORTRAIT, rng) * (0.35 + 0.65 * spot)[..., None], rng)


def shadow(size: Size, rng: Rng, soft: float, strength: float) -> Real:
    """The light, (h, w, 1), where a shadow with an edge of `soft` pixels covers one side of a line."""
    w, h = size
    layer = Image.new("L", size)
    a = rng.uniform(0, 2 * np.pi)
    c = np.array([w, h]) * rng.uniform(0.3, 0.7, 2)
    d, n = np.array([np.cos(a), np.sin(a)]) * 3000, np.array([-np.sin(a), np.cos(a)]) * 3000
    ImageDraw.Draw(layer).polygon([tuple(c - d), tuple(c + d), tuple(c + d + n), tuple(c - d + n)], fill=255)
    return 1 - strength * as_alpha(layer.filter(ImageFilter.GaussianBlur(soft)))[..., None]


@kind()
def half_shadow(strokes: Strokes, rng: Rng) -> Image.Image:
    picture = sheet_with_digit(strokes, PORTRAIT, rng, (235, 232, 226))
    return camera(picture * shadow(PORTRAIT, rng, rng.uniform(2, 12), rng.uniform(0.2, 0.5)), rng)


@kind()
def phone_shadow(strokes: Strokes, rng: Rng) -> Image.Image:
    layer = Image.new("L", PORTRAIT)
    x0, y0 = rng.uniform(-200, 500), rng.uniform(100, 500)
    ImageDraw.Draw(layer).rounded_rectangle([x0, y0, x0 + 350, y0 + 900], 60, fill=255)
    layer = layer.rotate(rng.uniform(-20, 20), resample=Image.Resampling.BILINEAR)
    layer = layer.filter(ImageFilter.GaussianBlur(rng.uniform(4, 20)))
    dark = 1 - rng.uniform(0.3, 0.5) * as_alpha(layer)[..., None]
    return camera(sheet_with_digit(strokes, PORTRAIT, rng, (238, 236, 232)) * dark, rng)


@kind()
def blinds(strokes: Strokes, rng: Rng) -> Image.Image:
    y, x = np.mgrid[0:900, 0:675].astype(np.float32)
    a, period = rng.uniform(-0.6, 0.6), rng.uniform(120, 260)
    stripes = 0.5 + 0.5 * np.tanh(4 * np.sin(2 * np.pi * (y + a * x) / period + rng.uniform(0, 6)))
    return camera(sheet_with_digit(strokes, PORTRAIT, rng, low=0.2) * (0.6 + 0.4 * stripes)[..., None], rng)


def rules(
    picture: Real, rng: Rng, colour: Colour, width: float, gap: float,
    *, margin: bool = False, squared: bool = False,
) -> Real:  # fmt: skip
    """The picture with ruled lines every `gap` pixels, slightly turned; `squared` adds columns, `margin` a red line."""
    h, w = picture.shape[:2]
    alpha = Image.new("L", (w * 2, h * 2))
    d = ImageDraw.Draw(alpha)
    y, x, thickness = rng.uniform(0, gap), w, max(1, round(2 * width))
    while y < h:
        d.line([0, 2 * y, 2 * w, 2 * y], fill=255, width=thickness)
        y += gap
    if squared:
        x = rng.uniform(0, gap)
    while x < w:
        d.line([2 * x, 0, 2 * x, 2 * h], fill=255, width=thickness)
        x += gap
    t = rng.uniform(-4, 4)
    picture = lay(picture, as_alpha(alpha.rotate(t, resample=Image.Resampling.BILINEAR).reduce(2)), colour)
    if margin:
        m = Image.new("L", (w, h))
        x = rng.uniform(0.08, 0.2) * w
        ImageDraw.Draw(m).line([x, 0, x, h], fill=255, width=2)
        picture = lay(picture, as_alpha(m.rotate(t, resample=Image.Resampling.BILINEAR)), (215, 110, 110))
    return picture


def on_rules(name: str, strokes: Strokes, rng: Rng) -> Image.Image:
    """A photo of a digit on ruled paper with a margin line, or on squared paper."""
    rule, width, gap, height, colour = ON_RULES[name]
    squared = name.startswith("squared")

    def behind(picture: Real, _: Size, state: Rng) -> Real:
        sides = state.uniform(*width), state.uniform(*gap)
        return rules(picture, state, rule, *sides, margin=not squared, squared=squared)

    return photo(strokes, rng, colour=colour, low=height[0], high=height[1], behind=behind)


# The colour of the rules; the ranges of their width and gap in pixels, and of the digit's height as a share of the
# picture's; the colour of the pen, None for any.
ON_RULES: dict[str, tuple[Colour, Range, Range, Range, Colour | None]] = {
    "ruled_paper": ((165, 180, 205), (1, 2), (28, 45), (0.1, 0.3), None),
    "ruled_strong": ((110, 125, 165), (1.5, 2.5), (28, 45), (0.12, 0.3), None),
    "ruled_pencil": ((165, 180, 205), (1, 2), (28, 45), (0.1, 0.3), (115, 115, 118)),
    "squared_paper": ((165, 175, 215), (1, 3), (50, 110), (0.25, 0.5), (35, 45, 140)),
    "squared_pencil": ((180, 190, 220), (1, 2), (30, 60), (0.2, 0.5), (110, 110, 112)),
}
add_kinds({name: partial(on_rules, name) for name in ON_RULES})


@kind()
def whiteboard_glare(strokes: Strokes, rng: Rng) -> Image.Image:
    y, x = np.mgrid[0:800, 0:600].astype(np.float32)
    cx, cy, r = rng.uniform(0, 600), rng.uniform(0, 800), rng.uniform(30, 90)
    glare = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r * r))[..., None]
    picture = sheet_with_digit(strokes, SMALL_PORTRAIT, rng, (175, 178, 185), thick=0.1)
    picture = picture * light(SMALL_PORTRAIT, rng, 0.65, 1)
    return camera(picture * (1 - glare) + 255 * glare, rng, 3)


@kind()
def second_digit_at_edge(strokes: Strokes, rng: Rng) -> Image.Image:
    size = SMALL_PORTRAIT
    m = digit_ink(strokes, size, rng, low=0.2, high=0.35, spread=0.12)
    side = rng.choice([-1, 1])
    other = mask(strokes, size, 0.28 * 800, 12, (0.5 + side * 0.52, rng.uniform(0.3, 0.7)))
    return camera(lay(sheet(size, 235), np.maximum(m, other), pen_colour(rng)) * light(size, rng), rng)


@kind()
def highlighter(strokes: Strokes, rng: Rng) -> Image.Image:
    colours = [(250, 240, 60), (120, 230, 110), (245, 130, 185), (255, 170, 60), (120, 210, 240)]
    h = rng.uniform(0.25, 0.45) * 800
    m = mask(strokes, SMALL_PORTRAIT, h, rng.uniform(0.1, 0.18) * h, centre_of(rng, 0.15))
    paper = sheet(SMALL_PORTRAIT, (240, 240, 238))
    ink = np.asarray(colours[rng.integers(5)], np.float32) / 255
    return camera(lay(paper, m * 0.85, paper * ink) * light(SMALL_PORTRAIT, rng), rng)


@kind()
def a4_small_digit(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (1500, 2000)
    h = rng.uniform(0.022, 0.04) * 2000
    m = mask(strokes, size, h, max(3, 0.07 * h), centre_of(rng, 0.35))
    return camera(lay(sheet(size, 238), m, pen_colour(rng)) * light(size, rng), rng)
