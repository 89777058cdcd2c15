"""Measure a model as it is served, or two side by side: preprocessing, temperature and threshold included.

    python -m training.evaluate                                   the released checkpoint
    python -m training.evaluate --model model_store/mnist-1.1.mar --against training/release/mnist-1.0.pt

Prints all numbers of a model card and the confusions, and writes pictures. Of an archive the weights are measured, with
the preprocessing of this checkout. Real drawings are measured too where they are at hand.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handler.predictor import Predictor
from training import data, real_drawings
from training.archive import RELEASED_CHECKPOINT, WEIGHTS
from training.data import DataError, Digits
from training.measure import answers, measured, rows
from training.pictures import draw_errors, draw_reliability


class ModelError(Exception):
    """A file that is no model; the message names it and says what is accepted."""


def load(path: Path) -> Predictor:
    """The predictor of a checkpoint or of an archive. Raises ModelError."""
    try:
        if path.suffix != ".mar":
            return Predictor.load(path, version=path.stem)
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            weights = Path(WEIGHTS)
            for name in {weights.name, weights.with_suffix(".onnx").name} & set(archive.namelist()):
                archive.extract(name, folder)
            return Predictor.load(Path(folder) / weights, version=path.stem)
    except Exception as error:  # a file can be broken in more ways than there are exceptions for
        reason = "file not found" if not path.exists() else f"{type(error).__name__} while reading it"
        raise ModelError(
            f"MODEL '{path}' is not a model ({reason}); use a checkpoint, such as runs/latest.pt of 'make train', "
            f"or an archive, such as model_store/mnist-1.1.mar of 'make archive'"
        ) from None


def table(confusion: NDArray[np.int64]) -> str:
    """Accuracy of each digit and the confusions, as text."""
    right, of = confusion.diagonal(), confusion.sum(axis=1)
    lines = ["label  accuracy  predicted " + "".join(f"{digit:>6}" for digit in range(10))]
    lines += [
        f"{digit:>4}   {right[digit] / max(of[digit], 1):8.2%}            "
        + "".join(f"{count or '.':>6}" for count in confusion[digit])
        for digit in range(10)
    ]
    return "\n".join(lines)


def _compare(models: list[tuple[str, Predictor]], test: Digits) -> None:
    columns = []
    for name, predictor in models:
        numbers = measured(predictor, test)
        columns.append([("", name), *rows(numbers)])
        for title, key in (("MNIST test", "mnist_test"), ("pendigits", "pendigits")):
            if numbers[key]:
                print(f"{name}, {title}\n{table(np.array(numbers[key]['confusion']))}\n", flush=True)
    for lines in zip(*columns, strict=True):
        print(f"{lines[0][0]:<52}" + "".join(f"{text:<26}" for _, text in lines))


def draw(name: str, predictor: Predictor, test: Digits, folder: Path, prefix: str = "") -> None:
    """The pictures of a model: its reliability, and its errors in each set of digits that is at hand."""
    sets = {"MNIST test": test}
    drawn = real_drawings.digits()
    if drawn is not None:
        sets["pendigits"] = drawn
    answered = {title: answers(predictor, digits.images) for title, digits in sets.items()}
    draw_reliability(
        {title: (answered[title], digits.labels) for title, digits in sets.items()},
        folder / f"{prefix}reliability.png",
    )
    for title, digits in sets.items():
        slug = title.lower().replace(" ", "-")
        draw_errors(answered[title], digits, f"{name}, {title}", folder / f"{prefix}errors-{slug}.png")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Evaluate a model as it is served, or compare two.")
    parser.add_argument("--model", type=Path, default=RELEASED_CHECKPOINT, help="a checkpoint or an archive")
    parser.add_argument("--against", type=Path, help="a second model to compare with")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/evaluation"), help="folder for the pictures"
    )
    options = parser.parse_args(arguments)
    paths = [options.model, *([options.against] if options.against else [])]
    try:
        models = [(path.name, load(path)) for path in paths]
        test = data.load(train=False)
    except (ModelError, DataError) as error:
        print(error, file=sys.stderr)
        return 1
    _compare(models, test)
    draw(*models[0], test, options.output)
    print(f"\npictures: {options.output}")
    if real_drawings.digits(1) is None:
        print(f"Real drawings were not measured: {real_drawings.NOT_AT_HAND}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
