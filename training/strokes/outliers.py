"""The kinds of non-digits and their weights."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.strokes import digits, invented, scribbles, signs
from training.strokes.figure import Figure, Points
from training.strokes.hand import place, shape, write

Write = Callable[[np.random.Generator], list[Points]]


@dataclass(frozen=True)
class Kind:
    """A kind of non-digit. `write` returns random paths on the canvas; `weight` is its relative frequency.

    `redraw`: samples that resemble a digit are drawn again (rejection sampling).
    """

    name: str
    write: Write
    weight: int = 1
    redraw: bool = False


def _of_figure(figure: Figure) -> Write:
    return lambda rng: write(figure, rng)


def _of_maker(make: Callable[[np.random.Generator], Figure], least: float = 0.3, most: float = 0.98) -> Write:
    return lambda rng: place(shape(make(rng), rng), rng, least, most)


def _side_by_side(count: int) -> Write:
    def write_row(rng: np.random.Generator) -> list[Points]:
        lines: list[Points] = []
        right = 0.0
        for _ in range(count):
            written = _scale_to_height(_digit(rng), rng.uniform(80, 110))
            low, high = _box(written)
            right += rng.uniform(18, 45)
            lines += [line - (low[0], 0) + (right, rng.normal(0, 6)) for line in written]
            right += high[0] - low[0]
        return place(lines, rng, 0.4)

    return write_row


def _digit(rng: np.random.Generator) -> list[Points]:
    styles = digits.styles()
    return shape(styles[rng.integers(len(styles))].figure(rng), rng)


def _scale_to_height(lines: list[Points], height: float) -> list[Points]:
    low, high = _box(lines)
    return [(line - low) * (height / (high[1] - low[1])) for line in lines]


def _box(lines: list[Points]) -> tuple[Points, Points]:
    every = np.concatenate(lines)
    return every.min(axis=0), every.max(axis=0)


KINDS: tuple[Kind, ...] = (
    *(Kind(name, _of_figure(figure)) for name, figure in signs.FIGURES.items()),
    # High weights: these represent every alphabet that is not listed.
    Kind("invented of lines", _of_maker(invented.of_lines), 18, redraw=True),
    Kind("invented of curves", _of_maker(invented.of_curves), 18, redraw=True),
    Kind("invented mixed", _of_maker(invented.mixed), 24, redraw=True),
    Kind("invented flowing", _of_maker(invented.flowing), 24, redraw=True),
    Kind("invented looped", _of_maker(invented.looped), 14, redraw=True),
    Kind("invented in one stroke", _of_maker(invented.in_one_stroke), 14, redraw=True),
    Kind("invented mirrored", _of_maker(invented.mirrored), 14, redraw=True),
    Kind("invented repeated", _of_maker(invented.repeated), 14, redraw=True),
    Kind("scribble", _of_maker(scribbles.scribble), 5, redraw=True),
    Kind("scribble back and forth", _of_maker(scribbles.back_and_forth), 4, redraw=True),
    Kind("scribble coil", _of_maker(scribbles.coil), 4, redraw=True),
    Kind("scribble tangle", _of_maker(scribbles.tangle), 4, redraw=True),
    Kind("hatching", _of_maker(scribbles.hatching), 4),
    Kind("dots", _of_maker(scribbles.dots), 3),
    Kind("two dots", _of_maker(scribbles.two_dots), 2),
    Kind("point", _of_maker(scribbles.point), 3),
    Kind("blot", _of_maker(scribbles.blot, 0.1, 0.3), 3),
    Kind("painted full", _of_maker(scribbles.full, 0.8, 1.0), 3),
    Kind("two digits", _side_by_side(2), 10),
    Kind("three digits", _side_by_side(3), 5),
)

# Excluded from training. They select the threshold between digit and non-digit.
HELD_OUT: tuple[str, ...] = (
    "letter H",
    "letter R",
    "letter e",
    "letter k",
    "letter m",
    "script alpha",
    "script Sha",
    "script shin",
    "script person",
    "script ta Devanagari",
    "lookalike D",
    "lookalike Z barred",
    "lookalike b in one stroke",
    "lookalike y curved",
    "lookalike sigma",
    "shape star",
    "shape spiral",
    "shape hash",
    "shape question mark",
    "shape arrow up",
    "invented looped",
    "invented mirrored",
    "scribble coil",
    "hatching",
    "three digits",
)


def kinds(*, held_out: bool = False) -> tuple[Kind, ...]:
    """The training kinds, or the held-out kinds."""
    return tuple(kind for kind in KINDS if (kind.name in HELD_OUT) == held_out)
