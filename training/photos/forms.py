"""Cells of forms, and scans."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from training.photos.scene import (
    Colour,
    Rng,
    Strokes,
    grain,
    image,
    jpeg,
    kind,
    lay,
    mask,
    png,
    sheet,
    written,
)

Draw: TypeAlias = Callable[[ImageDraw.ImageDraw, Rng], object]


def form(
    strokes: Strokes, rng: Rng, draw: Draw, colour: Colour = (30, 30, 35), high: float = 0.62
) -> Image.Image:
    size = (200, 200)
    height = rng.uniform(0.4, high) * size[1]
    m = mask(
        strokes,
        size,
        height,
        rng.uniform(0.06, 0.14) * height,
        (0.5 + rng.uniform(-0.06, 0.06), 0.5 + rng.uniform(-0.06, 0.06)),
    )
    picture = lay(sheet(size, (255,) * 3), m, colour)
    made = image(picture)
    draw(ImageDraw.Draw(made), rng)
    return made


@kind()
def form_box(strokes: Strokes, rng: Rng) -> Image.Image:
    return png(
        form(
            strokes,
            rng,
            lambda d, r: d.rectangle([12, 12, 187, 187], outline=(40, 40, 40), width=int(r.integers(1, 4))),
        )
    )


@kind()
def form_box_at_edge(strokes: Strokes, rng: Rng) -> Image.Image:
    return png(
        form(
            strokes,
            rng,
            lambda d, r: d.rectangle([1, 1, 198, 198], outline=(30, 30, 50), width=int(r.integers(1, 5))),
        )
    )


def sides(d: ImageDraw.ImageDraw, r: Rng, count: int) -> None:
    for i in r.permutation(4)[:count]:
        o, wd = int(r.integers(2, 10)), int(r.integers(2, 5))
        line = [(0, o, 200, o), (0, 199 - o, 200, 199 - o), (o, 0, o, 200), (199 - o, 0, 199 - o, 200)][i]
        d.line(line, fill=(30, 30, 40), width=wd)


@kind()
def form_one_side(strokes: Strokes, rng: Rng) -> Image.Image:
    return png(form(strokes, rng, lambda d, r: sides(d, r, 1)))


@kind()
def form_one_side_jpeg(strokes: Strokes, rng: Rng) -> Image.Image:
    return jpeg(grain(np.asarray(form(strokes, rng, lambda d, r: sides(d, r, 1)), np.float32), rng, 2), rng)


@kind()
def form_two_sides(strokes: Strokes, rng: Rng) -> Image.Image:
    return jpeg(grain(np.asarray(form(strokes, rng, lambda d, r: sides(d, r, 2)), np.float32), rng, 2), rng)


@kind()
def form_baseline(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (300, 200)
    h = rng.uniform(0.45, 0.6) * 200
    m = mask(strokes, size, h, rng.uniform(4, 9), (0.5, 0.42))
    made = image(lay(sheet(size, (255,) * 3), m, (35, 35, 40)))
    y = int(0.42 * 200 + h / 2 + rng.uniform(2, 14))
    ImageDraw.Draw(made).line([40, y, 260, y], fill=(60, 60, 60), width=2)
    return png(made)


@kind()
def form_pink_box(strokes: Strokes, rng: Rng) -> Image.Image:
    return png(
        form(
            strokes,
            rng,
            lambda d, r: d.rectangle([14, 14, 185, 185], outline=(245, 170, 170), width=3),
            colour=(25, 35, 120),
        )
    )


@kind()
def form_comb(strokes: Strokes, rng: Rng) -> Image.Image:
    def comb(d: ImageDraw.ImageDraw, r: Rng) -> None:
        d.line([0, 170, 200, 170], fill=(60, 60, 60), width=2)
        for x in (20, 180):
            d.line([x, 120, x, 170], fill=(60, 60, 60), width=2)

    return png(form(strokes, rng, comb, high=0.5))


@kind()
def bw_scan_dust(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (300, 400)
    m = written(strokes, size, rng, low=0.2, high=0.4, spread=0.2, thin=0.04, thick=0.08)
    bw = np.where(m > 0.5, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(5, 40))):
        x, y, r = rng.integers(0, 298), rng.integers(0, 398), rng.integers(1, 3)
        bw[y : y + r, x : x + r] = 0
    return png(Image.fromarray(bw), "1")


@kind()
def grey_scan_dust(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (300, 400)
    picture = lay(
        sheet(size, (247,) * 3),
        written(strokes, size, rng, low=0.2, high=0.4, spread=0.2, thin=0.04, thick=0.08),
        (40, 40, 45),
    )
    for _ in range(int(rng.integers(5, 25))):
        x, y, r = rng.integers(0, 297), rng.integers(0, 397), rng.integers(1, 4)
        picture[y : y + r, x : x + r] *= rng.uniform(0.2, 0.8)
    return jpeg(grain(picture, rng, 2), rng)


@kind()
def scan_black_edge(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (300, 400)
    picture = lay(
        sheet(size, (244,) * 3),
        written(strokes, size, rng, low=0.2, high=0.4, spread=0.15, thin=0.04, thick=0.08),
        (40, 40, 45),
    )
    w, side = int(rng.integers(8, 40)), rng.integers(4)
    edges = (picture[:, :w], picture[:, -w:], picture[:w], picture[-w:])
    edges[side][:] = 12
    return jpeg(grain(picture, rng, 2), rng)
