"""A round brush on the page's canvas: ink 255 on 0, edges smooth."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from training.strokes.figure import Points
from training.strokes.hand import CANVAS

SUPERSAMPLE = 2
BRUSHES = (6.0, 30.0)  # pixels of the canvas: the thinnest and the widest
# A brush wider than this share of the drawing would leave a blot of any digit. A dot has any width.
WIDEST_SHARE = 0.22
VARYING_SHARE = 0.25  # of drawings have a line that is not everywhere as wide


def draw(paths: Sequence[Points], rng: np.random.Generator) -> Image.Image:
    """The paths, (m, 2) in pixels each, drawn with some brush: an image "L" of 280 x 280."""
    every = np.concatenate(list(paths))
    extent = float(np.ptp(every, axis=0).max())
    widest = BRUSHES[1] if extent < BRUSHES[1] else float(np.clip(WIDEST_SHARE * extent, 8.0, BRUSHES[1]))
    brush = float(np.exp(rng.uniform(np.log(BRUSHES[0]), np.log(widest))))
    # The brush must not leave the canvas where the path does not.
    paths = [path * ((CANVAS - brush) / CANVAS) + brush / 2 for path in paths]
    if rng.random() < VARYING_SHARE:
        return render(paths, [_varying(len(path), brush, rng) for path in paths])
    return render(paths, [np.full(len(path), brush) for path in paths])


def _varying(count: int, brush: float, rng: np.random.Generator) -> Points:
    waves = np.sin(np.linspace(0, rng.uniform(1, 8), count) + rng.uniform(0, 6.3))
    return (brush * (1 + rng.uniform(0.1, 0.35) * waves)).clip(*BRUSHES)


def render(paths: Sequence[Points], widths: Sequence[Points]) -> Image.Image:
    """The paths, (m, 2) in pixels each, with the brush's width (m,) at each point."""
    widest = max(float(width.max()) for width in widths)
    every = np.concatenate(list(paths))
    # Only where there will be ink: half of the time went into empty paper.
    left, top = np.floor(every.min(axis=0) - widest / 2 - 1).astype(int).tolist()
    right, bottom = np.ceil(every.max(axis=0) + widest / 2 + 1).astype(int).tolist()
    image = Image.new("L", ((right - left) * SUPERSAMPLE, (bottom - top) * SUPERSAMPLE))
    pen = ImageDraw.Draw(image)
    for path, brushes in zip(paths, widths, strict=True):
        _line(pen, (path - (left, top)) * SUPERSAMPLE, brushes * SUPERSAMPLE)
    canvas = Image.new("L", (CANVAS, CANVAS))
    canvas.paste(image.reduce(SUPERSAMPLE), (left, top))
    return canvas


def _line(pen: ImageDraw.ImageDraw, places: Points, brushes: Points) -> None:
    radii = brushes[:, None] / 2
    # At every point, for Pillow leaves a hairline between two pieces of a wide line.
    for box in np.hstack([places - radii, places + radii]).tolist():
        pen.ellipse(box, fill=255)
    if (brushes == brushes[0]).all():
        pen.line(places.ravel().tolist(), fill=255, width=round(float(brushes[0])))
        return
    pieces = np.hstack([places[:-1], places[1:]]).tolist()
    for piece, width in zip(pieces, ((brushes[:-1] + brushes[1:]) / 2).tolist(), strict=True):
        pen.line(piece, fill=255, width=round(width))
