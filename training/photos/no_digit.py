"""Pictures without a digit. A confident digit is a wrong answer to each of them."""

from PIL import Image, ImageDraw

from training.photos.forms import CELL, SCAN, add_dust, frame
from training.photos.paper import rules, shadow
from training.photos.scene import PORTRAIT, Rng, Strokes, add_kinds, camera, image, kind, light, png, sheet
from training.photos.surfaces import wood

PAPER = (235, 233, 228)


@kind(digit=False)
def shadow_alone(_: Strokes, rng: Rng) -> Image.Image:
    dark = shadow(PORTRAIT, rng, rng.uniform(0.5, 12), rng.uniform(0.2, 0.5))
    return camera(sheet(PORTRAIT, PAPER) * dark, rng)


add_kinds(
    {
        "blank_sheet": lambda _, rng: camera(sheet(PORTRAIT, PAPER) * light(PORTRAIT, rng), rng),
        "desk_alone": lambda _, rng: camera(wood(PORTRAIT, rng) * light(PORTRAIT, rng), rng),
        "dust_alone": lambda _, rng: camera(add_dust(sheet(SCAN, 247), rng, 40), rng, 2),
    },
    digit=False,
)


@kind(digit=False)
def rules_alone(_: Strokes, rng: Rng) -> Image.Image:
    squared = bool(rng.random() < 0.5)
    gap = rng.uniform(28, 80)
    paper = rules(sheet(PORTRAIT, PAPER), rng, (120, 140, 180), 1.5, gap, squared=squared)
    return camera(paper * light(PORTRAIT, rng), rng)


@kind(digit=False)
def frame_alone(_: Strokes, rng: Rng) -> Image.Image:
    made = image(sheet(CELL, 255))
    frame(int(rng.integers(1, 40)), (30, 30, 40), 4)(ImageDraw.Draw(made), rng)
    return png(made) if rng.random() < 0.5 else camera(made, rng, 2)
