"""Ten digits drawn by hand, for the load check: a packed model must read all of them.

    python -m training.known_digits        writes known_digits/0.png to 9.png

The digits are not from MNIST, and no model is trained on them.
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from training.strokes.figure import UNIT, Points, curve, parse
from training.strokes.hand import CANVAS

FOLDER = Path(__file__).parent
BRUSH = 18  # pixels
SUPERSAMPLE = 4

# Figures (training/strokes/figure.py) of the digits 0 to 9.
FIGURES = (
    "50,20 36,29 31,50 37,71 51,80 65,71 70,50 64,29 50,20",
    "52,20 51,50 50,80",
    "33,36 38,24 52,20 65,28 64,42 50,60 34,78 / 34,78 52,77 70,78",
    "34,26 48,20 63,27 61,41 47,48 / 47,48 62,54 67,66 58,78 44,81 32,74",
    "41,22 36,40 33,55 / 33,55 52,54 70,53 / 62,24 60,54 58,82",
    "66,22 52,22 39,23 / 39,23 38,35 36,46 / 36,46 50,42 64,48 68,62 60,76 46,80 33,74",
    "60,20 46,32 36,50 35,66 44,79 58,78 66,66 60,54 47,53 37,63",
    "32,25 50,24 69,23 / 69,23 58,50 48,80",
    "51,20 39,25 39,39 51,48 64,58 65,73 51,80 37,73 38,58 51,48 62,38 62,25 51,20",
    "52,20 41,24 37,35 42,46 52,50 62,45 66,35 62,24 52,20 / 66,34 65,56 60,81",
)


def pictures() -> dict[int, Path]:
    """The picture FOLDER/DIGIT.png of each known digit, by digit in ascending order."""
    return dict(sorted((int(path.stem), path) for path in FOLDER.glob("*.png")))


def curves(digit: int) -> list[Points]:
    """The strokes of a digit as curves, (n, 2) each, x and y (down) on a canvas of 100 x 100."""
    return [curve(stroke.points, stroke.corners, closed=stroke.closed) for stroke in parse(FIGURES[digit])]


def draw(digit: int, brush: float = BRUSH) -> Image.Image:
    """Draw a digit as on the page's canvas: mode L, 280x280, white on black; `brush` in pixels."""
    return draw_curves(curves(digit), brush)


def draw_curves(strokes: Sequence[Points], brush: float = BRUSH) -> Image.Image:
    """Draw curves on a canvas of 100 x 100 with a round brush of `brush` pixels."""
    scale = CANVAS * SUPERSAMPLE / UNIT
    radius = brush * SUPERSAMPLE / 2
    picture = Image.new("L", (CANVAS * SUPERSAMPLE,) * 2)
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        path = [(float(x), float(y)) for x, y in stroke * scale]
        pen.line(path, fill=255, width=round(2 * radius))
        for x, y in path:
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return picture.resize((CANVAS, CANVAS), Image.Resampling.BOX)
