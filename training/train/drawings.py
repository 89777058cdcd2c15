"""The drawings of a run, for training and for selection: generated drawings and real drawings.

    drawings, held_out = prepare_drawings(recipe, Path("runs/latest.work"))

Drawing takes minutes, so the folder caches the drawings for a resumed run.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from training.data import pen_data
from training.data.pen_strokes import PenDrawing, load_pen_strokes
from training.strokes.figure import Points
from training.strokes.generate import FIRST_WRITER_STYLE, Drawings, generate_drawings, prepare_all
from training.strokes.people import draw_original, draw_variation
from training.train.recipe import Recipe

# These determine the drawings.
SETTINGS = ("seed", "drawn_images", "drawn_none", "validation_images", "renderings", "without_real_drawings")
DrawStrokes: TypeAlias = Callable[[tuple[Points, ...], np.random.Generator], Image.Image]


def prepare_drawings(recipe: Recipe, folder: Path) -> tuple[Drawings, Drawings]:
    """Load or make the training drawings and the held-out drawings; half of the generated held-out ones are non-digits.

    Raises DataError if the pen strokes are missing.
    """
    return (
        _cache(_training_drawings, recipe, folder / "drawings.npz"),
        _cache(_selection_drawings, recipe, folder / "held-out.npz"),
    )


def _training_drawings(recipe: Recipe) -> Drawings:
    # Load first: a missing file must fail before minutes of drawing.
    learned = [drawing for drawing in _load_pen_drawings(recipe) if not drawing.held_out]
    generated = generate_drawings(recipe.drawn_images, recipe.seed, outliers=recipe.drawn_none)
    return generated.concatenate(_render_all(learned * recipe.renderings, draw_variation, recipe.seed))


def _selection_drawings(recipe: Recipe) -> Drawings:
    count = 2 * recipe.validation_images if recipe.drawn_images else 0
    generated = generate_drawings(count, recipe.seed, outliers=0.5, held_out=True)
    return generated.concatenate(_render_held_out(_load_pen_drawings(recipe)))


def load_held_out_writers() -> Drawings | None:
    """Drawings by held-out writers, for comparing recipes; None if the pen strokes are missing."""
    folder = pen_data.folder()
    return None if pen_data.missing_files(folder) else _render_held_out(load_pen_strokes(folder))


def _render_held_out(drawings: list[PenDrawing]) -> Drawings:
    # One process: rendering takes two seconds, starting processes takes longer.
    held_out = [drawing for drawing in drawings if drawing.held_out]
    return _render_all(held_out, draw_original, seed=0, processes=1)


def _load_pen_drawings(recipe: Recipe) -> list[PenDrawing]:
    return [] if recipe.without_real_drawings else load_pen_strokes(pen_data.fetch())


def _render_all(
    drawings: list[PenDrawing], draw: DrawStrokes, seed: int, processes: int | None = None
) -> Drawings:
    return Drawings(
        prepare_all(partial(_render, draw=draw, seed=seed), drawings, processes),
        np.array([drawing.label for drawing in drawings], np.int64),
        np.array([FIRST_WRITER_STYLE + drawing.writer for drawing in drawings], np.int64),
    )


def _render(number: int, drawing: PenDrawing, draw: DrawStrokes, seed: int) -> Image.Image:
    return draw(drawing.strokes, np.random.default_rng([seed, number]))


def _cache(make: Callable[[Recipe], Drawings], recipe: Recipe, path: Path) -> Drawings:
    """The drawings of an interrupted run with the same settings, or new ones, which are saved."""
    settings = json.dumps({name: getattr(recipe, name) for name in SETTINGS})
    if path.exists():
        with np.load(path) as file:
            if str(file["settings"]) == settings:
                return Drawings(file["images"], file["labels"], file["styles"])
    drawings = make(recipe)
    unfinished = path.with_name(f"unfinished-{path.name}")
    np.savez(unfinished, settings=settings, **vars(drawings))
    unfinished.replace(path)
    return drawings
