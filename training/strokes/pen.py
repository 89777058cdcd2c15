"""Render paths with a round brush on the page's canvas: ink 255 on 0, antialiased."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from training.strokes.figure import Points, find_box
from training.strokes.hand import CANVAS

SUPERSAMPLE = 2
BRUSHES = (6.0, 30.0)  # least and greatest width in pixels of the canvas
# Limit of the brush as a share of the drawing: a wider brush fills a digit. A dot has no limit.
WIDEST_SHARE = 0.22
VARYING_SHARE = 0.25  # share of drawings with a varying line width


def draw(paths: Sequence[Points], rng: np.random.Generator) -> Image.Image:
    """Render paths, (m, 2) in pixels each, with a random brush: an image "L" of 280 x 280."""
    low, high = find_box(paths)
    extent = float((high - low).max())
    widest = BRUSHES[1] if extent < BRUSHES[1] else float(np.clip(WIDEST_SHARE * extent, 8.0, BRUSHES[1]))
    brush = float(np.exp(rng.uniform(np.log(BRUSHES[0]), np.log(widest))))
    paths = keep_inside(paths, brush)
    if rng.random() < VARYING_SHARE:
        return render(paths, [_vary_width(len(path), brush, rng) for path in paths])
    return render(paths, brush)


def keep_inside(paths: Sequence[Points], brush: float) -> list[Points]:
    """Shrink paths on the canvas, so that the whole brush stays on it."""
    return [path * ((CANVAS - brush) / CANVAS) + brush / 2 for path in paths]


def _vary_width(count: int, brush: float, rng: np.random.Generator) -> Points:
    waves = np.sin(np.linspace(0, rng.uniform(1, 8), count) + rng.uniform(0, 6.3))
    return (brush * (1 + rng.uniform(0.1, 0.35) * waves)).clip(*BRUSHES)


def render(paths: Sequence[Points], brush: float | Sequence[Points]) -> Image.Image:
    """Render paths, (m, 2) in pixels each, as an image "L" of 280 x 280.

    `brush`: the width in pixels, or the widths (m,) along each path.
    """
    widths = [np.full(len(path), brush) for path in paths] if isinstance(brush, float) else brush
    widest = max(float(width.max()) for width in widths)
    low, high = find_box(paths)
    # Render the bounding box of the ink only: the empty canvas took half of the time.
    left, top = np.floor(low - widest / 2 - 1).astype(int).tolist()
    right, bottom = np.ceil(high + widest / 2 + 1).astype(int).tolist()
    image = Image.new("L", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
    pen = ImageDraw.Draw(image)
    for path, brushes in zip(paths, widths, strict=True):
        _line(pen, (path - (left, top)) * SUPERSAMPLE, brushes * SUPERSAMPLE)
    canvas = Image.new("L", (CANVAS, CANVAS))
    canvas.paste(image.reduce(SUPERSAMPLE), (left, top))
    return canvas


def _line(pen: ImageDraw.ImageDraw, places: Points, brushes: Points) -> None:
    radii = brushes[:, None] / 2
    # A circle at every point: Pillow leaves a hairline between two segments of a wide line.
    for box in np.hstack([places - radii, places + radii]).tolist():
        pen.ellipse(box, fill=255)
    if (brushes == brushes[0]).all():
        pen.line(places.ravel().tolist(), fill=255, width=round(float(brushes[0])))
        return
    pieces = np.hstack([places[:-1], places[1:]]).tolist()
    for piece, width in zip(pieces, ((brushes[:-1] + brushes[1:]) / 2).tolist(), strict=True):
        pen.line(piece, fill=255, width=round(width))
