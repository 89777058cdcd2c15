"""How a model reads each kind of picture, with digits by people that it was not chosen by.

print(table(measure(predictor, strokes, count=30)))
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from handler.predictor import Prediction, Predictor
from training.data import pen_data
from training.data.pen_strokes import load_pen_strokes, reporting_digits
from training.photos import KINDS, make
from training.photos.scene import Strokes
from training.strokes.generate import NO_DIGIT

PICTURES_OF_EACH_KIND = 100
# A wrong answer at this confidence is a sure one.
SURE = 0.9
CELL = 150


def digits_by_people(*, report: bool) -> list[tuple[Strokes, int]] | None:
    """Digits by the writers kept for validation, or else by the reporting ones; None without their strokes."""
    try:
        if report:
            return list(reporting_digits(pen_data.folder()))
        drawings = load_pen_strokes(pen_data.folder())
    except OSError:
        return None
    return [(one.strokes, one.label) for one in drawings if one.held_out and one.label != NO_DIGIT]


class Row(NamedTuple):
    """Shares of the pictures of a kind: read right, called no digit, and answered wrong for sure."""

    kind: str
    right: float
    refused: float
    sure_wrong: float


def pictures(
    kind: str, digits: Sequence[tuple[Strokes, int]], count: int, seed: int
) -> list[tuple[Image.Image, int]]:
    """As many pictures of a kind, each with its label; the same for the same seed."""
    made = []
    for number in range(count):
        rng = np.random.default_rng([zlib.crc32(kind.encode()), number, seed])
        strokes, label = digits[int(rng.integers(len(digits)))]
        made.append((make(kind, strokes, rng), label))
    return made


def measure(
    predictor: Predictor, digits: Sequence[tuple[Strokes, int]], count: int, seed: int = 0
) -> list[Row]:
    """A row a kind, of `count` pictures each."""
    rows = []
    for kind in KINDS:
        asked = pictures(kind, digits, count, seed)
        rows.append(
            _row(kind, predictor.predict([image for image, _ in asked]), [label for _, label in asked])
        )
    return rows


def _row(kind: str, answers: Sequence[Prediction], labels: Sequence[int]) -> Row:
    expected = KINDS[kind]
    right, wrong = [], []
    for answer, label in zip(answers, labels, strict=True):
        is_label = expected.digit and answer.digit == label
        right.append(is_label if answer.is_digit else expected.may_refuse or not expected.digit)
        wrong.append(answer.is_digit and answer.confidence >= SURE and not is_label)
    return Row(
        kind,
        float(np.mean(right)),
        float(np.mean([not answer.is_digit for answer in answers])),
        float(np.mean(wrong)),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows and their mean, as text."""
    lines = [f"{'pictures':<24}{'right':>8}{'no digit':>10}{'sure, wrong':>13}"]
    lines += [
        f"{row.kind:<24}{row.right:8.1%}{row.refused:10.1%}{row.sure_wrong:13.1%}"
        for row in (*rows, mean(rows))
    ]
    return "\n".join(lines)


def mean(rows: Sequence[Row]) -> Row:
    """The row of the mean over kinds."""
    return Row("mean", *(float(np.mean(column)) for column in list(zip(*rows, strict=True))[1:]))


def draw_sheet(digits: Sequence[tuple[Strokes, int]], columns: int = 3, seed: int = 0) -> Image.Image:
    """A picture to look at: a row a kind."""
    sheet = Image.new("RGB", (columns * CELL, len(KINDS) * CELL), "white")
    for row, kind in enumerate(KINDS):
        for column, (image, _) in enumerate(pictures(kind, digits, columns, seed)):
            shown = image.point(lambda value: value / 256).convert("L") if image.mode == "I;16" else image
            shown = shown.convert("RGB")
            shown.thumbnail((CELL - 4, CELL - 4))
            sheet.paste(shown, (column * CELL, row * CELL))
    return sheet
