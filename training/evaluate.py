"""Measure a checkpoint as it is served: preprocessing, temperature and threshold included.

    python -m training.evaluate                                   the released checkpoint
    python -m training.evaluate --checkpoint runs/latest.pt --output runs/evaluation

Prints accuracy, a table per digit, the confusion matrix and the calibration error, and writes the confusion matrix
as a picture. Real drawings are measured too where they are at hand; no released weights are trained on them.
"""

import argparse
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.predictor import Predictor
from handler.preprocessing import preprocess
from training import data
from training.archive import RELEASED_CHECKPOINT
from training.calibration import BINS, expected_calibration_error
from training.data import DataError, Digits

mpl.use("Agg")  # a file, not a window
from matplotlib import pyplot as plt

BATCH = 500
# Measured on where it is there: drawings by people, rendered as the page's canvas would.
DRAWINGS = Path(__file__).resolve().parent.parent.parent / "shared" / "drawn" / "drawn.py"


@dataclass(frozen=True)
class Evaluation:
    """What a model says of N labelled digits; `confusion` counts (10, 10), true digit by row."""

    confusion: NDArray[np.int64]
    calibration_error: float
    called_no_digit: float

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / self.confusion.sum())

    def table(self) -> str:
        """Accuracy of each digit and the confusion matrix, as text."""
        right, of = self.confusion.diagonal(), self.confusion.sum(axis=1)
        lines = ["true   accuracy   answered " + "".join(f"{digit:>6}" for digit in range(10))]
        lines += [
            f"{digit:>4}   {right[digit] / max(of[digit], 1):8.2%}            "
            + "".join(f"{count or '.':>6}" for count in self.confusion[digit])
            for digit in range(10)
        ]
        return "\n".join(lines)


def evaluate(predictor: Predictor, digits: Digits) -> Evaluation:
    """Predict all digits, prepared images with labels, and count."""
    predictions = [
        prediction
        for first in range(0, len(digits), BATCH)
        for prediction in predictor.predict_inputs(list(digits.images[first : first + BATCH]))
    ]
    answered = np.array([prediction.digit for prediction in predictions])
    confusion = np.zeros((10, 10), dtype=np.int64)
    np.add.at(confusion, (digits.labels, answered), 1)
    confidence = np.array([prediction.confidence for prediction in predictions])
    return Evaluation(
        confusion,
        expected_calibration_error(confidence, answered == digits.labels),
        float(np.mean([not prediction.is_digit for prediction in predictions])),
    )


def drawings(limit: int | None = None) -> Digits | None:
    """The real drawings, or `limit` of them, prepared; None where they are not at hand."""
    if not DRAWINGS.exists():
        return None
    spec = importlib.util.spec_from_file_location("drawn", DRAWINGS)
    if spec is None or spec.loader is None:
        return None
    drawn = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawn)
    images, labels = drawn.pendigits(limit)
    return Digits(
        np.stack([preprocess(Image.fromarray(image)) for image in images]), np.array(labels, dtype=np.int64)
    )


def draw_confusion(evaluation: Evaluation, title: str, path: Path) -> None:
    """The confusion matrix as a picture; the colour shows the errors, so the diagonal has none."""
    errors = evaluation.confusion.copy()
    np.fill_diagonal(errors, 0)
    figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
    axes.imshow(errors, cmap="Reds")
    for true, row in enumerate(evaluation.confusion):
        for answered, count in enumerate(row):
            if count:
                axes.text(answered, true, str(count), ha="center", va="center", fontsize=8)
    axes.set(title=title, xlabel="answered", ylabel="true", xticks=range(10), yticks=range(10))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _report(name: str, evaluation: Evaluation, picture: Path) -> None:
    print(f"\n{name}: {evaluation.confusion.sum()} digits, accuracy {evaluation.accuracy:.2%}")
    print(f"calibration error {evaluation.calibration_error:.2%} ({BINS} bins), ", end="")
    print(f"called no digit {evaluation.called_no_digit:.2%}")
    print(evaluation.table())
    draw_confusion(evaluation, f"{name}: {evaluation.accuracy:.2%}", picture)
    print(f"confusion matrix: {picture}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Measure a checkpoint as it is served.")
    parser.add_argument("--checkpoint", type=Path, default=RELEASED_CHECKPOINT)
    parser.add_argument("--output", type=Path, default=Path("runs/evaluation"))
    options = parser.parse_args(arguments)
    if not options.checkpoint.is_file():
        print(
            f"CHECKPOINT '{options.checkpoint}' is not a file; 'make train' writes runs/latest.pt",
            file=sys.stderr,
        )
        return 1
    predictor = Predictor.load(options.checkpoint, version=options.checkpoint.stem)
    try:
        test = data.load(train=False)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    _report("MNIST test", evaluate(predictor, test), options.output / "confusion-mnist.png")
    drawn = drawings()
    if drawn is None:
        print(f"\nReal drawings: not measured, {DRAWINGS.parent.name}/ is not beside the checkout.")
    else:
        _report(
            "Real drawings (pendigits)", evaluate(predictor, drawn), options.output / "confusion-drawn.png"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
