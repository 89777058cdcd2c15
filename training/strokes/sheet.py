"""Contact sheets of all styles as PNG, one row for each style.

python -m training.strokes.sheet      # writes runs/strokes-0.png to -9.png, strokes-letter.png and others
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from training.strokes import digits, outliers
from training.strokes.generate import NAMES, draw_style

FOLDER = Path(__file__).resolve().parent.parent.parent / "runs"
SAMPLES = 12
CELL = 92  # pixels
NAME_WIDTH = 180
BACKGROUND = 40  # a grey that shows the edge of the black canvas
GROUPS = ("letter", "script", "lookalike", "shape", "invented")
HELD_OUT_MARK = " (held out)"


def write_sheets(folder: Path = FOLDER) -> list[Path]:
    """Write a sheet for each digit and each group of non-digits; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, styles in group_styles().items():
        path = folder / f"strokes-{name}.png"
        draw_sheet(styles).save(path)
        paths.append(path)
    return paths


def group_styles() -> dict[str, list[int]]:
    """The styles and kinds, indices into NAMES, of each sheet."""
    groups = defaultdict(list)
    for style, name in enumerate(NAMES):
        first = name.split()[0]
        groups[first if first in GROUPS or first.isdecimal() else "other"].append(style)
    return groups


def title(style: int) -> str:
    """The name of a style or kind, with a mark if it is held out of training."""
    return NAMES[style] + HELD_OUT_MARK * (NAMES[style] in (*digits.HELD_OUT, *outliers.HELD_OUT))


def draw_sheet(styles: Sequence[int]) -> Image.Image:
    """An image "L": for each style its title and SAMPLES drawings."""
    picture = Image.new("L", (NAME_WIDTH + SAMPLES * CELL, len(styles) * CELL), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    for y, style in enumerate(styles):
        pen.text((6, y * CELL + CELL // 2 - 6), title(style), fill=255)
        for x in range(SAMPLES):
            canvas = draw_style(style, np.random.default_rng([0, style, x]))
            drawing = canvas.resize((CELL - 4, CELL - 4), Image.Resampling.BOX)
            picture.paste(drawing, (NAME_WIDTH + x * CELL, y * CELL + 2))
    return picture


if __name__ == "__main__":
    for path in write_sheets():
        print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
