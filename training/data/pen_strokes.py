"""Load pen strokes of digits, letters and signs, split by writer for training and selection.

    drawings = load_pen_strokes(pen_data.folder())
    [drawing for drawing in drawings if not drawing.held_out]     # for training

The reporting sets are excluded: pendigits by writers with a number divisible by 5 (`reporting_digits`),
and Omniglot's background set 1.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.pen_data import OMNIGLOT, PENDIGITS, UJI
from training.strokes.figure import Points
from training.strokes.generate import NO_DIGIT

# Held out for selection: a sixth of the writers of each set, and one alphabet as an example of the alphabets that no
# training data has.
HELD_OUT_PENDIGITS = (1, 7, 13, 19)
HELD_OUT_UJI = (5, 10)
HELD_OUT_OMNIGLOT = (17, 18, 19, 20)
HELD_OUT_ALPHABET = "Tagalog"
REPORTING_EVERY = 5
# Offset of the writer numbers of a set.
FIRST_OF_UJI, FIRST_OF_OMNIGLOT = 100, 200

_SEGMENT = re.compile(r'\.SEGMENT\s+\w+\s+\S+\s+\?\s+"(.)"')


@dataclass(frozen=True)
class PenDrawing:
    """Strokes, (n, 2) each, x and y (down) in device units; label 0 to 9 or NO_DIGIT; `held_out`: for selection.

    Writer numbers are unique, except in Omniglot, where each alphabet has its own writers 1, 2 and so on.
    """

    strokes: tuple[Points, ...]
    label: int
    held_out: bool
    writer: int


def load_pen_strokes(folder: Path) -> list[PenDrawing]:
    """Load all drawings except the reporting sets from `folder`. Raises OSError if a file is missing."""
    drawings = [
        PenDrawing(strokes, label, writer in HELD_OUT_PENDIGITS, writer)
        for strokes, label, writer in _parse_unipen(folder / PENDIGITS.name, down=-1)
        if writer % REPORTING_EVERY
    ]
    for number, file in enumerate(UJI, 1):
        for strokes, label, _ in _parse_unipen(folder / file.name, down=1):
            drawings.append(PenDrawing(strokes, label, number in HELD_OUT_UJI, FIRST_OF_UJI + number))
    for strokes, alphabet, writer in _parse_omniglot(folder / OMNIGLOT.name):
        held_out = alphabet == HELD_OUT_ALPHABET or writer in HELD_OUT_OMNIGLOT
        drawings.append(PenDrawing(strokes, NO_DIGIT, held_out, FIRST_OF_OMNIGLOT + writer))
    return drawings


def reporting_digits(folder: Path) -> list[tuple[tuple[Points, ...], int]]:
    """Strokes and label of each digit by pendigits' reporting writers. Raises OSError where the file is missing."""
    written = _parse_unipen(folder / PENDIGITS.name, down=-1)
    return [(strokes, label) for strokes, label, writer in written if writer % REPORTING_EVERY == 0]


def _parse_unipen(path: Path, down: int) -> Iterator[tuple[tuple[Points, ...], int, int]]:
    """Parse a UNIPEN file: strokes, label and writer (0 if not given) of each segment.

    `down` is the direction of the device's y axis: 1 down, -1 up.
    """
    label, writer = NO_DIGIT, 0
    strokes: list[list[list[float]]] = []
    for line in [*path.read_text(encoding="latin-1").splitlines(), ".SEGMENT"]:
        if line.startswith(".SEGMENT"):
            if any(strokes):
                yield tuple(np.array(stroke) * (1, down) for stroke in strokes if stroke), label, writer
            segment = _SEGMENT.match(line)
            named = segment[1] if segment else ""
            label, strokes = (int(named) if named.isdecimal() else NO_DIGIT), []
        elif line.startswith(".PEN_DOWN"):
            strokes.append([])
        elif line.startswith(".COMMENT") and strokes == [] and line.split()[1].isdecimal():
            writer = int(line.split()[2])
        elif strokes and line[:1].isspace() and line.strip():
            strokes[-1].append([float(value) for value in line.split()[:2]])


def _parse_omniglot(path: Path) -> Iterator[tuple[tuple[Points, ...], str, int]]:
    """Parse Omniglot: strokes, alphabet and writer of each character."""
    with zipfile.ZipFile(path) as archive:
        names = (name for name in archive.namelist() if name.endswith(".txt") and "__MACOSX" not in name)
        for name in sorted(names):
            strokes: list[list[tuple[float, float]]] = [[]]
            for line in archive.read(name).decode().splitlines():
                x, comma, rest = line.partition(",")
                if comma:
                    strokes[-1].append((float(x), -float(rest.split(",")[0])))
                else:  # START or BREAK
                    strokes.append([])
            _, alphabet, _, file = name.split("/")
            writer = int(file.removesuffix(".txt").split("_")[1])
            yield tuple(np.array(stroke) for stroke in strokes if stroke), alphabet, writer
