"""Writing styles of the ten digits from many countries, with a pen, a finger or a mouse.

digits.toml lists styles of one figure, combinations.toml styles of several figures with a common part.
training/strokes/hand.py varies each drawing.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from training.strokes.figure import Figure, parse

LISTED, COMBINED = (
    tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    for name in ("digits.toml", "combinations.toml")
)
# Excluded from training.
HELD_OUT: tuple[str, ...] = tuple(LISTED.pop("held_out"))


@dataclass(frozen=True)
class Style:
    """One or several figures of a digit; `name` is unique, for example "7 barred"."""

    name: str
    digit: int
    figures: tuple[Figure, ...]

    def figure(self, rng: np.random.Generator) -> Figure:
        """Choose a figure at random."""
        return self.figures[rng.integers(len(self.figures))]


def combine_parts(combined: dict[str, Any]) -> Iterator[Style]:
    """A style for each ending in combinations.toml, with a figure for each combination of parts."""
    for combination in combined["combinations"]:
        digit, parts = combination["digit"], [combined["parts"][name] for name in combination["parts"]]
        for name, ending in combination["endings"].items():
            figures = tuple(parse(" ".join(filter(None, (*chosen, ending)))) for chosen in product(*parts))
            yield Style(f"{digit} {name}", digit, figures)


STYLES: tuple[Style, ...] = (
    *(
        Style(f"{digit} {name}", int(digit), (parse(text),))
        for digit, figures in LISTED.items()
        for name, text in figures.items()
    ),
    *combine_parts(COMBINED),
)


def styles(*, held_out: bool = False) -> tuple[Style, ...]:
    """The training styles, or the held-out styles."""
    return tuple(style for style in STYLES if (style.name in HELD_OUT) == held_out)
