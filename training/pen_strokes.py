"""Pen strokes of people, to learn from and to choose by: digits, letters and signs, split by writer.

    found = pen_strokes(pen_data.folder())
    [drawing for drawing in found if not drawing.held_out]     # to learn from

The reporting sets are not among them: writers of pendigits whose number is divisible by 5 (`reporting_digits`), and
Omniglot's background set 1.
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.pen_data import OMNIGLOT, PENDIGITS, UJI
from training.strokes.figure import Points
from training.strokes.generate import NO_DIGIT

# Kept for validation, the others are learned from. A sixth of the writers of each set; and an alphabet, for people
# write signs that no alphabet here has.
HELD_OUT_PENDIGITS = (1, 7, 13, 19)
HELD_OUT_UJI = (5, 10)
HELD_OUT_OMNIGLOT = (17, 18, 19, 20)
HELD_OUT_ALPHABET = "Tagalog"
REPORTING_EVERY = 5
# Added to a writer's number in the set.
FIRST_OF_UJI, FIRST_OF_OMNIGLOT = 100, 200

_SEGMENT = re.compile(r'\.SEGMENT\s+\w+\s+\S+\s+\?\s+"(.)"')


@dataclass(frozen=True)
class PenDrawing:
    """Strokes, (n, 2) each, x and y down in the device's units; label 0-9, or NO_DIGIT; `held_out` for validation.

    No two writers have one number, except that each alphabet of Omniglot has another first, second and so on.
    """

    strokes: tuple[Points, ...]
    label: int
    held_out: bool
    writer: int


def pen_strokes(folder: Path) -> list[PenDrawing]:
    """All drawings of the files in `folder`, without the reporting sets. Raises OSError where one is missing."""
    drawings = []
    for strokes, label, writer in _unipen(folder / PENDIGITS.name, down=-1):
        if writer % REPORTING_EVERY:
            drawings.append(PenDrawing(strokes, label, writer in HELD_OUT_PENDIGITS, writer))
    for number, file in enumerate(UJI, 1):
        for strokes, label, _ in _unipen(folder / file.name, down=1):
            drawings.append(PenDrawing(strokes, label, number in HELD_OUT_UJI, FIRST_OF_UJI + number))
    for strokes, alphabet, writer in _omniglot(folder / OMNIGLOT.name):
        held_out = alphabet == HELD_OUT_ALPHABET or writer in HELD_OUT_OMNIGLOT
        drawings.append(PenDrawing(strokes, NO_DIGIT, held_out, FIRST_OF_OMNIGLOT + writer))
    return drawings


def reporting_digits(folder: Path) -> list[tuple[tuple[Points, ...], int]]:
    """Strokes and label of each digit by pendigits' reporting writers. Raises OSError where the file is missing."""
    written = _unipen(folder / PENDIGITS.name, down=-1)
    return [(strokes, label) for strokes, label, writer in written if writer % REPORTING_EVERY == 0]


def _unipen(path: Path, down: int) -> Iterator[tuple[tuple[Points, ...], int, int]]:
    """Strokes, label and writer (0 where the file names none) of each segment of a UNIPEN file.

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


def _omniglot(path: Path) -> Iterator[tuple[tuple[Points, ...], str, int]]:
    """Strokes, alphabet and writer of each character of Omniglot's strokes."""
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
