"""The accuracy of a model on each kind of picture, with digits by held-out writers or by reporting writers.

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
from training.photos import KINDS
from training.photos.scene import Strokes
from training.strokes.generate import NO_DIGIT

PICTURES_OF_EACH_KIND = 100
# A wrong answer with at least this confidence is a confident error.
SURE = 0.9
CELL = 150


def digits_by_people(*, report: bool) -> list[tuple[Strokes, int]] | None:
    """Digits by the held-out writers or, for a report, by the reporting writers; None without the files."""
    try:
        if report:
            return list(reporting_digits(pen_data.folder()))
        return [drawing for drawing in held_out_drawings() if drawing[1] != NO_DIGIT]
    except OSError:
        return None


def held_out_drawings() -> list[tuple[Strokes, int]]:
    """Strokes and label of each drawing by the held-out writers. Raises OSError without the files."""
    return [(one.strokes, one.label) for one in load_pen_strokes(pen_data.folder()) if one.held_out]


class Row(NamedTuple):
    """Shares of a kind's pictures: correct answers, answers "no digit", and confident errors."""

    kind: str
    right: float
    refused: float
    sure_wrong: float


def pictures(
    kind: str, digits: Sequence[tuple[Strokes, int]], count: int, seed: int
) -> list[tuple[Image.Image, int]]:
    """`count` pictures of a kind with their labels, the same for the same seed."""
    made = []
    for number in range(count):
        rng = np.random.default_rng([zlib.crc32(kind.encode()), number, seed])
        strokes, label = digits[int(rng.integers(len(digits)))]
        made.append((KINDS[kind].make(strokes, rng), label))
    return made


def measure(
    predictor: Predictor, digits: Sequence[tuple[Strokes, int]], count: int, seed: int = 0
) -> list[Row]:
    """One row per kind, from `count` pictures each."""
    rows = []
    for kind in KINDS:
        images, labels = zip(*pictures(kind, digits, count, seed), strict=True)
        rows.append(_row(kind, predictor.predict(images), labels))
    return rows


def _row(kind: str, answers: Sequence[Prediction], labels: Sequence[int]) -> Row:
    expected = KINDS[kind]
    right, wrong = [], []
    for answer, label in zip(answers, labels, strict=True):
        is_label = expected.digit and answer.digit == label
        right.append(is_label if answer.is_digit else expected.may_refuse or not expected.digit)
        wrong.append(answer.is_digit and answer.confidence >= SURE and not is_label)
    refused = [not answer.is_digit for answer in answers]
    return Row(kind, float(np.mean(right)), float(np.mean(refused)), float(np.mean(wrong)))


def table(rows: Sequence[Row]) -> str:
    """A text table of the rows and their mean."""
    lines = [f"{'pictures':<24}{'right':>8}{'no digit':>10}{'sure, wrong':>13}"]
    lines += [
        f"{row.kind:<24}{row.right:8.1%}{row.refused:10.1%}{row.sure_wrong:13.1%}"
        for row in (*rows, mean(rows))
    ]
    return "\n".join(lines)


def mean(rows: Sequence[Row]) -> Row:
    """The mean over all kinds."""
    return Row("mean", *(float(np.mean(column)) for column in list(zip(*rows, strict=True))[1:]))


def draw_sheet(digits: Sequence[tuple[Strokes, int]], columns: int = 3, seed: int = 0) -> Image.Image:
    """A contact sheet for people: one row per kind."""
    sheet = Image.new("RGB", (columns * CELL, len(KINDS) * CELL), "white")
    for row, kind in enumerate(KINDS):
        for column, (image, _) in enumerate(pictures(kind, digits, columns, seed)):
            shown = image.point(lambda value: value / 256).convert("L") if image.mode == "I;16" else image
            shown = shown.convert("RGB")
            shown.thumbnail((CELL - 4, CELL - 4))
            sheet.paste(shown, (column * CELL, row * CELL))
    return sheet
