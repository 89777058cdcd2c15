"""Photos of paper under some light, with what is printed on it."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.photos.scene import (
    Colour,
    Real,
    Rng,
    Size,
    Strokes,
    centre_of,
    grain,
    jpeg,
    kind,
    lay,
    light,
    mask,
    pen,
    photo,
    sheet,
    written,
)


@kind()
def plain_paper(strokes: Strokes, rng: Rng) -> Image.Image:
    return photo(strokes, rng)


@kind()
def lamp(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (675, 900)
    y, x = np.mgrid[0:900, 0:675].astype(np.float32)
    cx, cy = rng.uniform(0.2, 0.8) * 675, rng.uniform(0.2, 0.8) * 900
    spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * (rng.uniform(250, 500)) ** 2))
    picture = (
        lay(sheet(size, (235,) * 3), written(strokes, size, rng), pen(rng)) * (0.35 + 0.65 * spot)[..., None]
    )
    return jpeg(grain(picture, rng), rng)


def shadow(size: Size, rng: Rng, soft: float, strength: float) -> Real:
    w, h = size
    layer = Image.new("L", size)
    a = rng.uniform(0, 2 * np.pi)
    c = np.array([w, h]) * rng.uniform(0.3, 0.7, 2)
    d, n = np.array([np.cos(a), np.sin(a)]) * 3000, np.array([-np.sin(a), np.cos(a)]) * 3000
    ImageDraw.Draw(layer).polygon([tuple(c - d), tuple(c + d), tuple(c + d + n), tuple(c - d + n)], fill=255)
    return (
        1 - strength * np.asarray(layer.filter(ImageFilter.GaussianBlur(soft)), np.float32)[..., None] / 255
    )


@kind()
def half_shadow(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (675, 900)
    picture = lay(sheet(size, (235, 232, 226)), written(strokes, size, rng), pen(rng)) * shadow(
        size, rng, rng.uniform(2, 12), rng.uniform(0.2, 0.5)
    )
    return jpeg(grain(picture, rng), rng)


@kind()
def phone_shadow(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (675, 900)
    layer = Image.new("L", size)
    x0 = rng.uniform(-200, 500)
    y0 = rng.uniform(100, 500)
    ImageDraw.Draw(layer).rounded_rectangle([x0, y0, x0 + 350, y0 + 900], 60, fill=255)
    layer = layer.rotate(rng.uniform(-20, 20), resample=Image.Resampling.BILINEAR).filter(
        ImageFilter.GaussianBlur(rng.uniform(4, 20))
    )
    dark = 1 - rng.uniform(0.3, 0.5) * np.asarray(layer, np.float32)[..., None] / 255
    picture = lay(sheet(size, (238, 236, 232)), written(strokes, size, rng), pen(rng)) * dark
    return jpeg(grain(picture, rng), rng)


@kind()
def blinds(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (675, 900)
    y, x = np.mgrid[0:900, 0:675].astype(np.float32)
    a = rng.uniform(-0.6, 0.6)
    period = rng.uniform(120, 260)
    stripes = 0.5 + 0.5 * np.tanh(4 * np.sin(2 * np.pi * (y + a * x) / period + rng.uniform(0, 6)))
    picture = (
        lay(sheet(size, (235,) * 3), written(strokes, size, rng, low=0.2, high=0.4), pen(rng))
        * (0.6 + 0.4 * stripes)[..., None]
    )
    return jpeg(grain(picture, rng), rng)


def rules(
    picture: Real,
    rng: Rng,
    colour: Colour,
    width: float,
    gap: float,
    *,
    margin: bool = False,
    squared: bool = False,
) -> Real:
    h, w = picture.shape[:2]
    alpha = Image.new("L", (w * 2, h * 2))
    d = ImageDraw.Draw(alpha)
    y = rng.uniform(0, gap)
    while y < h:
        d.line([0, 2 * y, 2 * w, 2 * y], fill=255, width=max(1, round(2 * width)))
        y += gap
    if squared:
        x = rng.uniform(0, gap)
        while x < w:
            d.line([2 * x, 0, 2 * x, 2 * h], fill=255, width=max(1, round(2 * width)))
            x += gap
    t = rng.uniform(-4, 4)
    a = np.asarray(alpha.rotate(t, resample=Image.Resampling.BILINEAR).reduce(2), np.float32) / 255
    picture = lay(picture, a, colour)
    if margin:
        m = Image.new("L", (w, h))
        x = rng.uniform(0.08, 0.2) * w
        ImageDraw.Draw(m).line([x, 0, x, h], fill=255, width=2)
        picture = lay(
            picture,
            np.asarray(m.rotate(t, resample=Image.Resampling.BILINEAR), np.float32) / 255,
            (215, 110, 110),
        )
    return picture


def on_rules(
    strokes: Strokes,
    rng: Rng,
    rule: Colour,
    width: tuple[float, float],
    gap: tuple[float, float],
    *,
    height: tuple[float, float],
    squared: bool = False,
    colour: Colour | None = None,
) -> Image.Image:
    """A photo of a digit on ruled paper with a margin line, or on squared paper; widths and gaps in pixels."""

    def behind(picture: Real, _: Size, state: Rng) -> Real:
        sides = state.uniform(*width), state.uniform(*gap)
        return rules(picture, state, rule, *sides, margin=not squared, squared=squared)

    return photo(strokes, rng, colour=colour, low=height[0], high=height[1], behind=behind)


@kind()
def ruled_paper(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_rules(strokes, rng, (165, 180, 205), (1, 2), (28, 45), height=(0.1, 0.3))


@kind()
def ruled_strong(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_rules(strokes, rng, (110, 125, 165), (1.5, 2.5), (28, 45), height=(0.12, 0.3))


@kind()
def ruled_pencil(strokes: Strokes, rng: Rng) -> Image.Image:
    return on_rules(
        strokes, rng, (165, 180, 205), (1, 2), (28, 45), height=(0.1, 0.3), colour=(115, 115, 118)
    )


@kind()
def squared_paper(strokes: Strokes, rng: Rng) -> Image.Image:
    blue = (35, 45, 140)
    return on_rules(
        strokes, rng, (165, 175, 215), (1, 3), (50, 110), height=(0.25, 0.5), squared=True, colour=blue
    )


@kind()
def squared_pencil(strokes: Strokes, rng: Rng) -> Image.Image:
    grey = (110, 110, 112)
    return on_rules(
        strokes, rng, (180, 190, 220), (1, 2), (30, 60), height=(0.2, 0.5), squared=True, colour=grey
    )


@kind()
def whiteboard_glare(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (600, 800)
    y, x = np.mgrid[0:800, 0:600].astype(np.float32)
    cx, cy, r = rng.uniform(0, 600), rng.uniform(0, 800), rng.uniform(30, 90)
    glare = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r * r))[..., None]
    picture = lay(sheet(size, (175, 178, 185)), written(strokes, size, rng, thick=0.1), pen(rng)) * light(
        size, rng, 0.65, 1
    )
    return jpeg(grain(picture * (1 - glare) + 255 * glare, rng, 3), rng)


@kind()
def second_digit_at_edge(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (600, 800)
    m = written(strokes, size, rng, low=0.2, high=0.35, spread=0.12)
    side = rng.choice([-1, 1])
    other = mask(strokes, size, 0.28 * 800, 12, (0.5 + side * 0.52, rng.uniform(0.3, 0.7)))
    picture = lay(sheet(size, (235,) * 3), np.maximum(m, other), pen(rng)) * light(size, rng)
    return jpeg(grain(picture, rng), rng)


@kind()
def highlighter(strokes: Strokes, rng: Rng) -> Image.Image:
    colours = [(250, 240, 60), (120, 230, 110), (245, 130, 185), (255, 170, 60), (120, 210, 240)]
    size = (600, 800)
    h = rng.uniform(0.25, 0.45) * 800
    m = mask(strokes, size, h, rng.uniform(0.1, 0.18) * h, centre_of(rng, 0.15))
    picture = sheet(size, (240, 240, 238))
    picture = (
        picture * (1 - m[..., None] * 0.85)
        + picture * np.asarray(colours[rng.integers(5)], np.float32) / 255 * m[..., None] * 0.85
    )
    return jpeg(grain(picture * light(size, rng), rng), rng)


@kind()
def a4_small_digit(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (1500, 2000)
    h = rng.uniform(0.022, 0.04) * 2000
    m = mask(strokes, size, h, max(3, 0.07 * h), centre_of(rng, 0.35))
    picture = lay(sheet(size, (238,) * 3), m, pen(rng)) * light(size, rng)
    return jpeg(grain(picture, rng, 4), rng)
