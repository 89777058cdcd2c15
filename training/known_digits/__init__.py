"""Ten digits drawn by hand, for the load check: a packed model must read all of them.

    python -m training.known_digits        writes known_digits/0.png to 9.png

A digit is a list of strokes; a stroke is a list of points on a canvas of 100 x 100, joined by a smooth curve. The
digits are not from MNIST, and no model is trained on them.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent
CANVAS = 280  # pixels, as on the page
BRUSH = 18
SUPERSAMPLE = 4
POINTS_PER_SEGMENT = 12

Stroke = list[tuple[float, float]]

# A stroke with the same first and last point is closed and smooth at that point.
STROKES: dict[int, list[Stroke]] = {
    0: [[(50, 20), (36, 29), (31, 50), (37, 71), (51, 80), (65, 71), (70, 50), (64, 29), (50, 20)]],
    1: [[(52, 20), (51, 50), (50, 80)]],
    2: [[(33, 36), (38, 24), (52, 20), (65, 28), (64, 42), (50, 60), (34, 78)], [(34, 78), (52, 77), (70, 78)]],
    3: [[(34, 26), (48, 20), (63, 27), (61, 41), (47, 48)],
        [(47, 48), (62, 54), (67, 66), (58, 78), (44, 81), (32, 74)]],
    4: [[(41, 22), (36, 40), (33, 55)], [(33, 55), (52, 54), (70, 53)], [(62, 24), (60, 54), (58, 82)]],
    5: [[(66, 22), (52, 22), (39, 23)], [(39, 23), (38, 35), (36, 46)],
        [(36, 46), (50, 42), (64, 48), (68, 62), (60, 76), (46, 80), (33, 74)]],
    6: [[(60, 20), (46, 32), (36, 50), (35, 66), (44, 79), (58, 78), (66, 66), (60, 54), (47, 53), (37, 63)]],
    7: [[(32, 25), (50, 24), (69, 23)], [(69, 23), (58, 50), (48, 80)]],
    8: [[(51, 20), (39, 25), (39, 39), (51, 48), (64, 58), (65, 73), (51, 80), (37, 73), (38, 58),
         (51, 48), (62, 38), (62, 25), (51, 20)]],
    9: [[(52, 20), (41, 24), (37, 35), (42, 46), (52, 50), (62, 45), (66, 35), (62, 24), (52, 20)],
        [(66, 34), (65, 56), (60, 81)]],
}  # fmt: skip


def curves(digit: int) -> list[NDArray[np.float64]]:
    """The strokes of a digit as curves, (n, 2) each, x and y (down) on a canvas of 100 x 100."""
    return [_spline(np.array(stroke, dtype=np.float64)) for stroke in STROKES[digit]]


def draw(digit: int, brush: float = BRUSH) -> Image.Image:
    """Draw a digit as on the page's canvas: mode L, 280x280, white on black; `brush` in pixels."""
    return draw_curves(curves(digit), brush)


def draw_curves(strokes: list[NDArray[np.float64]], brush: float = BRUSH) -> Image.Image:
    """Draw curves on a canvas of 100 x 100 with a round brush of `brush` pixels."""
    scale = CANVAS * SUPERSAMPLE / 100
    radius = brush * SUPERSAMPLE / 2
    picture = Image.new("L", (CANVAS * SUPERSAMPLE,) * 2)
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        path = [(float(x), float(y)) for x, y in stroke * scale]
        pen.line(path, fill=255, width=round(2 * radius))
        for x, y in path:
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return picture.resize((CANVAS, CANVAS), Image.Resampling.BOX)


def _spline(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Catmull-Rom spline through the points."""
    closed = bool((points[0] == points[-1]).all())
    before = points[-2] if closed else 2 * points[0] - points[1]
    after = points[1] if closed else 2 * points[-1] - points[-2]
    padded = np.concatenate([[before], points, [after]])
    t = np.linspace(0, 1, POINTS_PER_SEGMENT, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate([*pieces, points[-1:]])
