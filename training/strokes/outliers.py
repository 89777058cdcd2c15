"""The kinds of non-digits and their weights. signs.toml lists letters, signs and shapes."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from training.strokes import digits, invented, scribbles
from training.strokes.figure import Figure, Points, find_box, parse
from training.strokes.hand import place, shape, write

SIGNS = tomllib.loads(Path(__file__).with_name("signs.toml").read_text(encoding="utf-8"))
# Excluded from training. They select the threshold between digit and non-digit.
HELD_OUT: tuple[str, ...] = tuple(SIGNS.pop("held_out"))

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


def _make_writer(
    make: Callable[[np.random.Generator], Figure], least: float = 0.3, most: float = 0.98
) -> Write:
    return lambda rng: place(shape(make(rng), rng), rng, least, most)


def _write_number(count: int, rng: np.random.Generator) -> list[Points]:
    """Digits side by side, of about the same height."""
    lines: list[Points] = []
    right = 0.0
    styles = digits.styles()
    for _ in range(count):
        digit = shape(styles[rng.integers(len(styles))].figure(rng), rng)
        low, high = find_box(digit)
        scale = rng.uniform(80, 110) / (high[1] - low[1])
        right += rng.uniform(18, 45)
        lines += [(line - low) * scale + (right, rng.normal(0, 6)) for line in digit]
        right += (high[0] - low[0]) * scale
    return place(lines, rng, 0.4)


KINDS: tuple[Kind, ...] = (
    *(
        Kind(f"{group} {name}", partial(write, parse(text)))
        for group, figures in SIGNS.items()
        for name, text in figures.items()
    ),
    # High weights: these represent every alphabet that is not listed.
    Kind("invented of lines", _make_writer(invented.of_lines), 18, redraw=True),
    Kind("invented of curves", _make_writer(invented.of_curves), 18, redraw=True),
    Kind("invented mixed", _make_writer(invented.mixed), 24, redraw=True),
    Kind("invented flowing", _make_writer(invented.flowing), 24, redraw=True),
    Kind("invented looped", _make_writer(invented.looped), 14, redraw=True),
    Kind("invented in one stroke", _make_writer(invented.in_one_stroke), 14, redraw=True),
    Kind("invented mirrored", _make_writer(invented.mirrored), 14, redraw=True),
    Kind("invented repeated", _make_writer(invented.repeated), 14, redraw=True),
    Kind("scribble", _make_writer(scribbles.scribble), 5, redraw=True),
    Kind("scribble back and forth", _make_writer(scribbles.back_and_forth), 4, redraw=True),
    Kind("scribble coil", _make_writer(scribbles.coil), 4, redraw=True),
    Kind("scribble tangle", _make_writer(scribbles.tangle), 4, redraw=True),
    Kind("hatching", _make_writer(scribbles.hatching), 4),
    Kind("dots", _make_writer(scribbles.dots), 3),
    Kind("two dots", _make_writer(scribbles.two_dots), 2),
    Kind("point", _make_writer(scribbles.point), 3),
    Kind("blot", _make_writer(scribbles.blot, 0.1, 0.3), 3),
    Kind("painted full", _make_writer(scribbles.full, 0.8, 1.0), 3),
    Kind("two digits", partial(_write_number, 2), 10),
    Kind("three digits", partial(_write_number, 3), 5),
)


def kinds(*, held_out: bool = False) -> tuple[Kind, ...]:
    """The training kinds, or the held-out kinds."""
    return tuple(kind for kind in KINDS if (kind.name in HELD_OUT) == held_out)
