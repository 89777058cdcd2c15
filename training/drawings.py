"""The drawings of a run, to learn from and to choose by: generated ones and, unless they are left out, people's.

    drawings, held_out = drawings_of(recipe, Path("runs/latest.work"))

An interrupted run finds them in its folder: to draw them takes minutes.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from training import pen_data
from training.pen_strokes import PenDrawing, pen_strokes
from training.recipe import Recipe
from training.strokes.figure import Points
from training.strokes.generate import BY_PEOPLE, Drawings, drawn, prepared
from training.strokes.people import draw_again, draw_as_it_is

DrawStrokes: TypeAlias = Callable[[tuple[Points, ...], np.random.Generator], Image.Image]


def drawings_of(recipe: Recipe, folder: Path) -> tuple[Drawings, Drawings]:
    """Those to learn from; and those of held-out styles and held-out people, half of them no digits.

    Raises PenDataError where people's strokes are missing.
    """
    settings = (
        "seed",
        "drawn_images",
        "drawn_none",
        "validation_images",
        "renderings",
        "without_real_drawings",
    )
    asked = json.dumps({name: asdict(recipe)[name] for name in settings})
    found = []
    for name, make in (("drawings", _to_learn_from), ("held-out", _to_choose_by)):
        path = folder / f"{name}.npz"
        drawings = _load(path, asked) or make(recipe)
        _save(drawings, asked, path)
        found.append(drawings)
    return found[0], found[1]


def _to_learn_from(recipe: Recipe) -> Drawings:
    learned = [
        drawing for drawing in _by_people(recipe) if not drawing.held_out
    ]  # first: files can be missing
    generated = drawn(recipe.drawn_images, recipe.seed, outliers=recipe.drawn_none)
    return generated.and_also(_rendered(learned * recipe.renderings, draw_again, recipe.seed))


def _to_choose_by(recipe: Recipe) -> Drawings:
    generated = drawn(2 * recipe.validation_images, recipe.seed, outliers=0.5, held_out=True)
    return generated.and_also(_held_out(_by_people(recipe)))


def held_out_writers() -> Drawings | None:
    """Those of held-out people alone, to choose between recipes by; None where their strokes are missing."""
    folder = pen_data.folder()
    return None if pen_data.missing(folder) else _held_out(pen_strokes(folder))


def _held_out(drawings: list[PenDrawing]) -> Drawings:
    # Two seconds: to start processes would take longer.
    held_out = [drawing for drawing in drawings if drawing.held_out]
    return _rendered(held_out, draw_as_it_is, seed=0, processes=1)


def _by_people(recipe: Recipe) -> list[PenDrawing]:
    return [] if recipe.without_real_drawings else pen_strokes(pen_data.fetch())


def _rendered(
    drawings: list[PenDrawing], draw: DrawStrokes, seed: int, processes: int | None = None
) -> Drawings:
    return Drawings(
        prepared(partial(_render, draw=draw, seed=seed), drawings, processes),
        np.array([drawing.label for drawing in drawings], np.int64),
        np.array([BY_PEOPLE + drawing.writer for drawing in drawings], np.int64),
    )


def _render(number: int, drawing: PenDrawing, draw: DrawStrokes, seed: int) -> Image.Image:
    return draw(drawing.strokes, np.random.default_rng([seed, number]))


def _load(path: Path, asked: str) -> Drawings | None:
    """What an interrupted run of the same settings has left; else nothing."""
    if path.exists():
        with np.load(path) as kept:
            if str(kept["asked"]) == asked:
                return Drawings(kept["images"], kept["labels"], kept["styles"])
    return None


def _save(drawings: Drawings, asked: str, path: Path) -> None:
    unfinished = path.with_name(f"unfinished-{path.name}")
    np.savez(unfinished, asked=asked, **vars(drawings))
    unfinished.replace(path)
