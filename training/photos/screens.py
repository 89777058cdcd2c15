"""Screenshots, figures, arrays saved as pictures, and drawings with other marks."""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFilter

from training.photos.scene import (
    Real,
    Rng,
    Strokes,
    add_kinds,
    centre_of,
    grey_png,
    image,
    kind,
    lay,
    mask,
    png,
    sheet,
    sheet_with_digit,
)  # fmt: skip

CANVAS = (280, 280)


@kind()
def paint_window(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (640, 480)
    picture = image(sheet(size, (200, 198, 208)))
    d = ImageDraw.Draw(picture)
    d.rectangle([0, 0, 640, 22], fill=(255, 255, 255))
    d.text((8, 5), "Untitled - Paint", fill=(20, 20, 20))
    d.rectangle([0, 22, 640, 80], fill=(240, 240, 244))
    for i in range(12):
        fill = tuple(int(c) for c in rng.integers(180, 255, 3))
        d.rectangle([20 + 30 * i, 38, 42 + 30 * i, 60], outline=(120, 120, 130), fill=fill)
    x0, y0, x1, y1 = 20, 100, int(rng.integers(380, 560)), 440
    d.rectangle([x0, y0, x1, y1], fill=(255, 255, 255))
    h = rng.uniform(0.4, 0.7) * 340
    m = mask(strokes, size, h, rng.uniform(6, 16), ((x0 + x1) / 2 / 640, (y0 + y1) / 2 / 480))
    return png(lay(np.asarray(picture, np.float32), m, (0, 0, 0)))


@kind()
def dark_mode_screenshot(strokes: Strokes, rng: Rng) -> Image.Image:
    size = (390, 844)
    picture = image(sheet(size, (18, 18, 20)))
    d = ImageDraw.Draw(picture)
    d.text((20, 12), "9:41", fill=(255, 255, 255))
    d.rectangle([340, 14, 365, 24], outline=(255, 255, 255))
    d.text((120, 60), "New note", fill=(230, 230, 230))
    d.rounded_rectangle([130, 825, 260, 830], 2, fill=(255, 255, 255))
    h = rng.uniform(0.2, 0.35) * 844
    m = mask(strokes, size, h, rng.uniform(8, 18), (0.5, rng.uniform(0.35, 0.65)))
    return png(lay(np.asarray(picture, np.float32), m, (250, 250, 250)))


def mnist_like(strokes: Strokes, rng: Rng, n: int = 28) -> Real:
    """Share of ink, (n, n), of a digit in the proportions of MNIST."""
    big = mask(strokes, CANVAS, rng.uniform(195, 205), rng.uniform(18, 28), (0.5, 0.5))
    return np.asarray(Image.fromarray(big).resize((n, n), Image.Resampling.BOX), np.float32)


def draw_figure(array: Real, cmap: str, rng: Rng) -> Image.Image:
    figure = Figure(figsize=(rng.uniform(2.2, 5), rng.uniform(2.2, 4)), dpi=100)
    axes = figure.subplots()
    axes.imshow(array, cmap=cmap)
    if rng.random() < 0.3:
        axes.set_title("sample")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file)


def apply_colour_map(array: Real, cmap: str) -> Image.Image:
    return png(Image.fromarray((matplotlib.colormaps[cmap](array)[..., :3] * 255).astype(np.uint8)))


@kind()
def baked_checkerboard(strokes: Strokes, rng: Rng) -> Image.Image:
    cell = int(rng.integers(6, 17))
    y, x = np.mgrid[0:280, 0:280]
    board = np.where(((x // cell) + (y // cell)) % 2, 255, 204).astype(np.float32)[..., None].repeat(3, 2)
    m = mask(strokes, CANVAS, rng.uniform(120, 220), rng.uniform(12, 24), (0.5, 0.5))
    return png(lay(board, m, (0, 0, 0)))


@kind()
def values_0_16(strokes: Strokes, rng: Rng) -> Image.Image:
    n = int(rng.choice([8, 28]))
    return grey_png((mnist_like(strokes, rng, n) * 16).round())


def small(strokes: Strokes, n: int) -> Real:
    """Grey values, (n, n), whole numbers from 0 to 255, of a digit that fills the picture."""
    big = mask(strokes, (320, 320), 320, 45, (0.5, 0.5))
    a = np.asarray(Image.fromarray(big).resize((n, n), Image.Resampling.BOX), np.float32)
    return (a / a.max() * 255).round()


@kind()
def underlined(strokes: Strokes, rng: Rng) -> Image.Image:
    h, t = rng.uniform(120, 160), rng.uniform(8, 16)
    made = image(lay(sheet(CANVAS, 255), mask(strokes, CANVAS, h, t, (0.5, 0.45)), (0, 0, 0)))
    y = 0.45 * 280 + h / 2 + rng.uniform(12, 25)
    ImageDraw.Draw(made).line([60, y, 220, y + rng.uniform(-6, 6)], fill=(0, 0, 0), width=int(t / 2))
    return png(made)


@kind(may_refuse=True)
def circled(strokes: Strokes, rng: Rng) -> Image.Image:
    m = mask(strokes, CANVAS, rng.uniform(90, 120), rng.uniform(6, 12), (0.5, 0.5))
    made = image(lay(sheet(CANVAS, 255), m, (0, 0, 0)))
    ImageDraw.Draw(made).ellipse([30, 30, 250, 250], outline=(0, 0, 0), width=int(rng.integers(4, 9)))
    return png(made)


def draw_outline(strokes: Strokes, out: int, inside: int) -> Image.Image:
    """The contour of a thick digit, so many pixels outside and inside of its edge."""
    m = mask(strokes, CANVAS, 200, 40, (0.5, 0.5)) > 0.5
    big = Image.fromarray((m * 255).astype(np.uint8))
    outer = big.filter(ImageFilter.MaxFilter(2 * out + 1))
    inner = big.filter(ImageFilter.MinFilter(2 * inside + 1))
    return grey_png(255 - (np.asarray(outer, int) - np.asarray(inner, int)).clip(0, 255))


@kind(may_refuse=True)
def outline(strokes: Strokes, _: Rng) -> Image.Image:
    return draw_outline(strokes, 2, 1)


@kind(may_refuse=True)
def outline_thick(strokes: Strokes, rng: Rng) -> Image.Image:
    return draw_outline(strokes, *(int(side) for side in rng.integers(3, 6, 2)))


def canvas(strokes: Strokes, rng: Rng) -> Real:
    """Share of ink, (h, w), of a drawing on the page's canvas."""
    return mask(strokes, CANVAS, rng.uniform(110, 220), rng.uniform(12, 24), centre_of(rng, 0.08))


GREYS = ["gray", "gray_r", "Greys"]
add_kinds(
    {
        "savefig_axes": lambda s, rng: draw_figure(mnist_like(s, rng), GREYS[rng.integers(3)], rng),
        "savefig_viridis": lambda strokes, rng: draw_figure(mnist_like(strokes, rng), "viridis", rng),
        "jet_colours": lambda strokes, rng: apply_colour_map(mnist_like(strokes, rng), "jet"),
        "viridis_colours": lambda strokes, rng: apply_colour_map(mnist_like(strokes, rng), "viridis"),
        "values_0_1": lambda strokes, rng: grey_png(mnist_like(strokes, rng) > 0.4),
        "picture_8x8": lambda strokes, _: grey_png(small(strokes, 8)),
        "picture_8x8_inverted": lambda strokes, _: grey_png(255 - small(strokes, 8)),
        "picture_16x16": lambda s, rng: grey_png(small(s, 16) if rng.random() < 0.5 else 255 - small(s, 16)),
        "clean_canvas": lambda strokes, rng: grey_png(canvas(strokes, rng) * 255),
    }
)


@kind()
def sixteen_bits(strokes: Strokes, rng: Rng) -> Image.Image:
    ink = canvas(strokes, rng)
    return Image.fromarray(((ink if rng.random() < 0.5 else 1 - ink) * 65535).astype(np.uint16))


@kind()
def palette(strokes: Strokes, rng: Rng) -> Image.Image:
    made = sheet_with_digit(strokes, (300, 300), rng, (250, 245, 230), low=0.3, high=0.7, spread=0.1)
    return png(image(made).quantize(16), "P")


@kind()
def over_the_edge(strokes: Strokes, rng: Rng) -> Image.Image:
    return grey_png(mask(strokes, CANVAS, rng.uniform(282, 292), rng.uniform(12, 24), (0.5, 0.5)) * 255)


@kind(may_refuse=True)
def two_digits(strokes: Strokes, rng: Rng) -> Image.Image:
    height, thickness = rng.uniform(90, 130), rng.uniform(8, 14)
    size = (320, 240)
    both = [mask(strokes, size, height, thickness, (x, 0.5)) for x in (0.28, 0.28 + rng.uniform(0.38, 0.48))]
    return png(lay(sheet(size, 255), np.maximum(*both), (0, 0, 0)))
