"""Pictures without a digit, none of which may be called one for sure."""

import numpy as np
from PIL import Image, ImageDraw

from training.photos.paper import rules, shadow
from training.photos.scene import Rng, Strokes, grain, image, jpeg, kind, light, png, sheet
from training.photos.surfaces import wood

SIZE = (675, 900)


@kind(digit=False)
def blank_sheet(_: Strokes, rng: Rng) -> Image.Image:
    return jpeg(grain(sheet(SIZE, (235, 233, 228)) * light(SIZE, rng), rng), rng)


@kind(digit=False)
def shadow_alone(_: Strokes, rng: Rng) -> Image.Image:
    dark = shadow(SIZE, rng, rng.uniform(0.5, 12), rng.uniform(0.2, 0.5))
    return jpeg(grain(sheet(SIZE, (235, 233, 228)) * dark, rng), rng)


@kind(digit=False)
def rules_alone(_: Strokes, rng: Rng) -> Image.Image:
    squared = bool(rng.random() < 0.5)
    paper = rules(
        sheet(SIZE, (235, 233, 228)), rng, (120, 140, 180), 1.5, rng.uniform(28, 80), squared=squared
    )
    return jpeg(grain(paper * light(SIZE, rng), rng), rng)


@kind(digit=False)
def frame_alone(_: Strokes, rng: Rng) -> Image.Image:
    made = image(sheet((200, 200), (255, 255, 255)))
    inset = int(rng.integers(1, 40))
    box = (inset, inset, 199 - inset, 199 - inset)
    ImageDraw.Draw(made).rectangle(box, outline=(30, 30, 40), width=int(rng.integers(1, 5)))
    return png(made) if rng.random() < 0.5 else jpeg(grain(np.asarray(made, np.float32), rng, 2), rng)


@kind(digit=False)
def desk_alone(_: Strokes, rng: Rng) -> Image.Image:
    return jpeg(grain(wood(SIZE, rng) * light(SIZE, rng), rng), rng)


@kind(digit=False)
def dust_alone(_: Strokes, rng: Rng) -> Image.Image:
    picture = sheet((300, 400), (247, 247, 247))
    for _speck in range(int(rng.integers(5, 40))):
        x, y, side = rng.integers(0, 297), rng.integers(0, 397), rng.integers(1, 4)
        picture[y : y + side, x : x + side] *= rng.uniform(0.2, 0.8)
    return jpeg(grain(picture, rng, 2), rng)
