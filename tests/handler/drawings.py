"""Drawings made by code, so that these tests need no data."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = 280
# On a unit square, x to the right and y down: no digit has a symmetry that would hide a mistake.
STROKES = {
    2: [[(0.15, 0.3), (0.3, 0.08), (0.6, 0.05), (0.8, 0.25), (0.7, 0.5), (0.1, 0.95), (0.9, 0.95)]],
    4: [[(0.6, 0.0), (0.05, 0.65), (0.95, 0.65)], [(0.7, 0.4), (0.65, 1.0)]],
    7: [[(0.05, 0.05), (0.9, 0.05), (0.4, 1.0)]],
}


def drawing(digit: int = 7, *, left=60, top=40, width=150, height=200, brush=18, size=SIZE) -> Image.Image:
    """White strokes on black, "L", anti-aliased, with round joints and ends."""
    fine = 3
    canvas = Image.new("L", (size * fine, size * fine))
    pen, radius = ImageDraw.Draw(canvas), brush * fine / 2
    for stroke in STROKES[digit]:
        path = [((left + x * width) * fine, (top + y * height) * fine) for x, y in stroke]
        pen.line(path, fill=255, width=round(brush * fine))
        for x, y in path:
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return canvas.resize((size, size), Image.Resampling.BOX)


def draw_on_paper(mask: Image.Image, ink: Any, paper: Any, mode: str = "RGB") -> Image.Image:
    """The drawing in these colours."""
    return Image.composite(Image.new(mode, mask.size, ink), Image.new(mode, mask.size, paper), mask)


def draw_without_paper(mask: Image.Image, ink: tuple[int, int, int]) -> Image.Image:
    """Strokes of a colour on transparent."""
    image = Image.new("RGBA", mask.size, (*ink, 0))
    image.putalpha(mask)
    return image


def photo(mask: Image.Image, *, paper=200, ink=50, light="even", noise=5.0, size=(640, 480)) -> Image.Image:
    """A noisy photo of the drawing on paper in one of these lights."""
    width, height = size
    page = Image.new("L", size)
    page.paste(mask, ((width - mask.width) // 2, (height - mask.height) // 2))
    inked = np.asarray(page) / 255
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    lights = {
        "even": np.ones_like(x),
        "from the left": 1 - 0.5 * x,
        "from a corner": 1 - 0.3 * x - 0.3 * y,
        "behind a shadow": np.where(x < 0.55, 1, 0.55),
        "vignette": 1 - ((2 * x - 1) ** 2 + (2 * y - 1) ** 2) / 4,
    }
    grain = np.random.default_rng(0).normal(0, noise, inked.shape)
    values = (paper * (1 - inked) + ink * inked) * lights[light] + grain
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, picture_format: str = "PNG", **options) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, picture_format, **options)
    return file.getvalue()


def reopen(image: Image.Image, picture_format: str, **options) -> Image.Image:
    """The image after it was saved and read."""
    return Image.open(io.BytesIO(encode(image, picture_format, **options)))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference of two prepared images, of 255."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def difference_of_shape(one: np.ndarray, other: np.ndarray) -> float:
    """The difference after the best shift by at most a pixel: a centre of mass can be rounded either way."""
    shifts = [(rows, columns) for rows in (-1, 0, 1) for columns in (-1, 0, 1)]
    return min(difference(np.roll(one, shift, (0, 1)), other) for shift in shifts)
