"""Measure a model as it is served, beside its float32 network or another model.

    python -m training.evaluate                                   the released checkpoint
    python -m training.evaluate --model model_store/mnist-1.1.mar --against training/release/mnist-1.0.pt
    python -m training.evaluate --report                          with the reporting sets

Prints all metrics of a model card and the confusion matrices, and writes pictures. A model without an int8 file is
measured in float32. The handler in an archive predicts images that this checkout prepared. Only --report reads the
reporting sets, because they must not select recipes.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from handler.predictor import Predictor
from training.archive.pack import RELEASED_CHECKPOINT
from training.data import mnist as data
from training.data import reporting_sets
from training.data.download import DataError
from training.data.mnist import Digits
from training.evaluate.archived_predictor import AnyPredictor, open_archive
from training.evaluate.measure import DIGIT_SETS, answers, measure_model, rows
from training.evaluate.pictures import draw_errors, draw_reliability
from training.photos.measure import PICTURES_OF_EACH_KIND, digits_by_people, draw_sheet, measure
from training.photos.measure import table as table_of_photos


class ModelError(Exception):
    """A file is not a model; the message names it and the accepted files."""


def load(path: Path, stack: ExitStack, runtime: str = "int8") -> AnyPredictor:
    """Load a checkpoint or an archive, in `runtime` if it has a file for it. Raises ModelError.

    The process of an archive ends when `stack` is closed.
    """
    archived = path.suffix == ".mar"
    try:
        if archived:
            return stack.enter_context(open_archive(path, runtime))
        return Predictor.load(path, path.stem, runtime)
    except Exception as error:  # a broken file can raise any exception
        detail = str(error) if archived and isinstance(error, RuntimeError) else type(error).__name__
        reason = "file not found" if not path.exists() else f"{detail} while reading it"
        raise ModelError(
            f"MODEL '{path}' is not a model ({reason}); use a checkpoint, such as runs/latest.pt of 'make train', "
            f"or an archive, such as model_store/mnist-1.1.mar of 'make archive'"
        ) from None


def table(confusion: NDArray[np.int64]) -> str:
    """Accuracy of each digit and confusion matrix, as text."""
    right, total = confusion.diagonal(), confusion.sum(axis=1)
    lines = ["label  accuracy  predicted " + "".join(f"{digit:>6}" for digit in range(10))]
    lines += [
        f"{digit:>4}   {right[digit] / max(total[digit], 1):8.2%}            "
        + "".join(f"{count or '.':>6}" for count in confusion[digit])
        for digit in range(10)
    ]
    return "\n".join(lines)


def _compare(models: dict[str, AnyPredictor], test: Digits, *, report: bool) -> None:
    columns = []
    for name, predictor in models.items():
        measured = measure_model(predictor, test, report=report)
        columns.append([("", name), *rows(measured)])
        for title, key in DIGIT_SETS.items():
            if (metrics := measured[key]) and key != "held_out_writers":
                print(f"{name}, {title}\n{table(np.array(metrics['confusion']))}\n", flush=True)
    widest = max(len(title) for title, _ in columns[0])
    for lines in zip(*columns, strict=True):
        print("  ".join([f"{lines[0][0]:<{widest}}", *(f"{text:<26}" for _, text in lines)]).rstrip())


def draw(
    name: str, predictor: AnyPredictor, test: Digits, folder: Path, prefix: str = "", *, report: bool
) -> None:
    """Write the reliability diagram and the errors on MNIST and, with `report`, on pendigits."""
    sets = {"MNIST test": test}
    drawn = reporting_sets.digits() if report else None
    if drawn is not None:
        sets["pendigits"] = drawn
    answered = {title: (answers(predictor, digits.images), digits) for title, digits in sets.items()}
    draw_reliability(answered, folder / f"{prefix}reliability.png")
    for title, (predicted, digits) in answered.items():
        slug = title.lower().replace(" ", "-")
        draw_errors(predicted, digits, f"{name}, {title}", folder / f"{prefix}errors-{slug}.png")


def _measure_photos(name: str, predictor: AnyPredictor, count: int, folder: Path, *, report: bool) -> None:
    strokes = digits_by_people(report=report)
    if strokes is None or not isinstance(predictor, Predictor):
        print(
            "\nPhotos were not measured: this needs a checkpoint and the real drawings; `make data` fetches them."
        )
        return
    print(f"\n{name}, {count} pictures of each kind\n{table_of_photos(measure(predictor, strokes, count))}")
    draw_sheet(strokes).save(folder / "photos.png")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Evaluate a model as it is served, or compare two.")
    add = parser.add_argument
    add("--model", type=Path, default=RELEASED_CHECKPOINT, help="a checkpoint or an archive")
    add("--against", type=Path, help="a second model to compare with")
    add("--output", type=Path, default=Path("runs/evaluation"), help="folder for the pictures")
    add("--report", action="store_true", help="read the reporting sets, too")
    add(
        "--photos",
        type=int,
        default=PICTURES_OF_EACH_KIND,
        help="pictures of each kind of photo, %(default)s by default; 0 for none",
    )
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        try:
            model = load(options.model, stack)
            models = {f"{options.model.name}, {model.runtime}": model}
            if options.against or model.runtime == "int8":
                path, runtime = (options.against, "int8") if options.against else (options.model, "float32")
                other = load(path, stack, runtime)
                models[f"{path.name}, {other.runtime}"] = other
            test = data.load(train=False)
        except (ModelError, DataError) as error:
            print(error, file=sys.stderr)
            return 1
        _compare(models, test, report=options.report)
        name = next(iter(models))
        draw(name, model, test, options.output, report=options.report)
        if options.photos:
            _measure_photos(name, model, options.photos, options.output, report=options.report)
    print(f"\npictures: {options.output}")
    if not options.report:
        print("The reporting sets were not read; ARGS=--report reads them.")
    elif reporting_sets.digits(1) is None:
        print(f"The reporting sets were not measured: {reporting_sets.MISSING}.")
    return 0
