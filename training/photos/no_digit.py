"""Pictures without a digit. A confident digit is a wrong answer to each of them."""

from PIL import Image, ImageDraw

from training.photos.forms import SCAN, add_dust
from training.photos.paper import rules, shadow
from training.photos.scene import PORTRAIT, Rng, Strokes, camera, image, kind, light, png, sheet
from training.photos.surfaces import wood

PAPER = (235, 233, 228)


@kind(digit=False)
def blank_sheet(_: Strokes, rng: Rng) -> Image.Image:
    return camera(sheet(PORTRAIT, PAPER) * light(PORTRAIT, rng), rng)


@kind(digit=False)
def shadow_alone(_: Strokes, rng: Rng) -> Image.Image:
    return camera(
        sheet(PORTRAIT, PAPER) * shadow(PORTRAIT, rng, rng.uniform(0.5, 12), rng.uniform(0.2, 0.5)), rng
    )


@kind(digit=False)
def rules_alone(_: Strokes, rng: Rng) -> Image.Image:
    squared = bool(rng.random() < 0.5)
    gap = rng.uniform(28, 80)
    paper = rules(sheet(PORTRAIT, PAPER), rng, (120, 140, 180), 1.5, gap, squared=squared)
    return camera(paper * light(PORTRAIT, rng), rng)


@kind(digit=False)
def frame_alone(_: Strokes, rng: Rng) -> Image.Image:
    made = image(sheet((200, 200), 255))
    inset = int(rng.integers(1, 40))
    box = (inset, inset, 199 - inset, 199 - inset)
    ImageDraw.Draw(made).rectangle(box, outline=(30, 30, 40), width=int(rng.integers(1, 5)))
    return png(made) if rng.random() < 0.5 else camera(made, rng, 2)


@kind(digit=False)
def desk_alone(_: Strokes, rng: Rng) -> Image.Image:
    return camera(wood(PORTRAIT, rng) * light(PORTRAIT, rng), rng)


@kind(digit=False)
def dust_alone(_: Strokes, rng: Rng) -> Image.Image:
    return camera(add_dust(sheet(SCAN, 247), rng, 40), rng, 2)
