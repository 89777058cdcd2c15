"""Generate prepared drawings of digits in all styles and of non-digits.

    training = generate_drawings(20_000, seed=0, outliers=0.3)
    selection = generate_drawings(5_000, seed=0, outliers=0.3, held_out=True)

Every sample has its own random generator, so the drawings depend on the seed and not on the number of processes.
"""

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from handler.model import DIGITS
from handler.preprocessing import SIZE, preprocess
from training.strokes import digits, outliers
from training.strokes.figure import Points
from training.strokes.hand import write
from training.strokes.lookalikes import resembles_digit
from training.strokes.pen import draw

NO_DIGIT = DIGITS  # label of a non-digit
CHUNK = 256  # samples per task of a process
# Names of styles and kinds; the index is the style number.
NAMES: tuple[str, ...] = (
    *(style.name for style in digits.STYLES),
    *(kind.name for kind in outliers.KINDS),
)

# The style number of a real drawing: this plus the number of its writer.
FIRST_WRITER_STYLE = len(NAMES)

Pixels: TypeAlias = NDArray[np.uint8]
Sample = TypeVar("Sample")


@dataclass(frozen=True)
class Drawings:
    """Prepared images, uint8 (N, 28, 28), ink 255; labels, int64 (N,), 0 to 10; style numbers, int64 (N,).

    A style number is an index into NAMES, or FIRST_WRITER_STYLE plus the number of a writer.
    """

    images: Pixels
    labels: NDArray[np.int64]
    styles: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def concatenate(self, other: "Drawings") -> "Drawings":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Drawings(*map(np.concatenate, pairs))

    def take(self, indices: NDArray[np.int64]) -> "Drawings":
        return Drawings(self.images[indices], self.labels[indices], self.styles[indices])


def generate_drawings(
    count: int, seed: int, *, outliers: float = 0.0, held_out: bool = False, processes: int | None = None
) -> Drawings:
    """Generate `count` drawings; the last ones, a share `outliers` from 0 to 1, are non-digits.

    Digits are balanced, and so are the styles of a digit. Kinds of non-digits are weighted. Training styles and
    held-out styles are disjoint. The default of `processes` is the number of available cores.
    """
    plan = _plan(count, round(count * outliers), held_out=held_out)
    images = prepare_all(partial(_draw, seed=seed), [style for _, style in plan], processes)
    labels, styles = np.array(plan, np.int64).reshape(-1, 2).T
    return Drawings(images, labels, styles)


def prepare_all(
    draw: Callable[[int, Sample], Image.Image], samples: Sequence[Sample], processes: int | None = None
) -> Pixels:
    """Draw and prepare the samples: uint8 (N, 28, 28). `draw` gets the number and the content of a sample.

    The default of `processes` is the number of available cores.
    """
    work, numbered = partial(_prepare, draw), list(enumerate(samples))
    processes = min(processes or len(os.sched_getaffinity(0)), math.ceil(len(samples) / CHUNK))
    images = np.empty((len(samples), SIZE, SIZE), np.uint8)
    with ExitStack() as stack:
        made: Iterator[Pixels] = map(work, numbered)
        if processes > 1:
            # A fork server: a fork is unsafe in a process with threads, and torch has some.
            pool = stack.enter_context(multiprocessing.get_context("forkserver").Pool(processes))
            made = pool.imap(work, numbered, CHUNK)
        progress = tqdm(made, "drawing", len(samples), unit="image", leave=False, disable=None)
        for number, image in enumerate(progress):
            images[number] = image
    return images


def draw_style(style: int, rng: np.random.Generator) -> Image.Image:
    """Draw a style or kind, an index into NAMES: an image "L" of 280 x 280."""
    return draw(_paths(style, rng), rng)


def _paths(style: int, rng: np.random.Generator) -> list[Points]:
    if style < len(digits.STYLES):
        return write(digits.STYLES[style].figure(rng), rng)
    kind = outliers.KINDS[style - len(digits.STYLES)]
    paths = kind.write(rng)
    while kind.redraw and resembles_digit(paths):
        paths = kind.write(rng)
    return paths


def _plan(count: int, none: int, *, held_out: bool) -> list[tuple[int, int]]:
    """Label and style number of each sample."""
    of_digit: list[list[int]] = [[] for _ in range(10)]
    for style in digits.styles(held_out=held_out):
        of_digit[style.digit].append(NAMES.index(style.name))
    kinds = outliers.kinds(held_out=held_out)
    of_none = [NAMES.index(kind.name) for kind in kinds for _ in range(kind.weight)]
    plan = [(i % 10, of_digit[i % 10][i // 10 % len(of_digit[i % 10])]) for i in range(count - none)]
    # A stride coprime to the number of kinds, so that a small sample has many kinds.
    stride = next(s for s in range(len(of_none) * 5 // 8, 2 * len(of_none)) if np.gcd(s, len(of_none)) == 1)
    return plan + [(NO_DIGIT, of_none[i * stride % len(of_none)]) for i in range(none)]


def _prepare(draw: Callable[[int, Sample], Image.Image], numbered: tuple[int, Sample]) -> Pixels:
    return preprocess(draw(*numbered))


def _draw(number: int, style: int, seed: int) -> Image.Image:
    return draw_style(style, np.random.default_rng([seed, style, number]))
