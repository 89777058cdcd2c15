"""Train the digit classifier, from MNIST's files to a checkpoint that serves.

    python -m training.train                                   the released recipe
    python -m training.train --quick                           a smaller recipe
    python -m training.train --epochs 3 --output runs/three.pt

Drawings are made, then networks trained. Stopped at any time, the same command goes on where it was, and the latest
epoch is a checkpoint already. That carries what is needed to judge and to repeat it. A full run ends with status 1 when
it misses its target on the test set.
"""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handler.model import CHANNELS, restored
from handler.predictor import digit_probabilities
from training import data
from training.calibration import expected_calibration_error
from training.checkpoint import ChosenBy, logits_of, write, write_description
from training.data import DataError, Digits
from training.drawings import prepare_drawings
from training.fit import Plan
from training.mix import Mix
from training.onnx_export import export
from training.pen_data import PenDataError
from training.recipe import Recipe, parse
from training.stages import Stages, sum_of_losses

INTERRUPTED = 130  # the exit status that shells give to Ctrl-C


def train(recipe: Recipe, digits: Digits) -> list[dict[str, Any]]:
    """Train on the training set `digits`, save the checkpoint of each student, and give them back.

    Chooses temperature and threshold by a validation split, held-out styles and held-out writers; the test set is not
    known here. Raises ValueError when the split leaves less than a batch to learn from, PenDataError without people's
    strokes.
    """
    begun = time.monotonic()
    learned, validation = split(digits, recipe)
    if len(learned) < recipe.batch_size:
        raise ValueError(
            f"Setting 'validation_images' has value '{recipe.validation_images}'. It must leave at least "
            f"{recipe.batch_size} of the {len(digits)} images for training, one batch."
        )
    folder = Path(recipe.output).with_suffix(".work")
    folder.mkdir(parents=True, exist_ok=True)
    drawings, held_out = prepare_drawings(recipe, folder)
    channels = [round(recipe.width * channel) for channel in CHANNELS]
    plans = [
        Plan(f"student {number + 1}", channels, recipe.epochs, recipe.seed + number)
        for number in range(recipe.students)
    ]
    stages = Stages(recipe, Mix(learned, drawings, recipe), ChosenBy(validation, held_out), folder, begun)
    stages.expect(plans)
    for plan, output in zip(plans, outputs(recipe), strict=True):
        stages.run(plan, output)
    shutil.rmtree(folder)
    trained = [torch.load(output, weights_only=True) for output in outputs(recipe)]
    for student in trained:
        student["metrics"]["minutes"] = stages.minutes
    return trained


def best_first(students: list[dict[str, Any]], recipe: Recipe) -> list[dict[str, Any]]:
    """Each with its seed, in the order in which they would be released: the first has the least loss."""
    for number, student in enumerate(students):
        student["seed"] = recipe.seed + number
    return sorted(students, key=lambda student: sum_of_losses(student["metrics"]))


def outputs(recipe: Recipe) -> list[Path]:
    """Where the students' checkpoints lie: latest.pt, latest-2.pt and so on."""
    first = Path(recipe.output)
    others = [first.with_stem(f"{first.stem}-{number}") for number in range(2, recipe.students + 1)]
    return [first, *others]


def split(digits: Digits, recipe: Recipe) -> tuple[Digits, Digits]:
    """The part to learn from and the part to choose by: the same for the same seed."""
    order = np.random.default_rng(recipe.seed).permutation(len(digits))
    return digits.take(order[recipe.validation_images :]), digits.take(order[: recipe.validation_images])


def _test(checkpoint: dict[str, Any], digits: Digits) -> dict[str, float]:
    """How the test set is read."""
    logits = logits_of(restored(checkpoint["state_dict"]), digits.images)
    probabilities = digit_probabilities(logits, checkpoint["temperature"])
    correct = probabilities.argmax(axis=1) == digits.labels
    return {
        "test_accuracy": float(correct.mean()),
        "test_calibration_error": expected_calibration_error(probabilities.max(axis=1), correct),
    }


def main(arguments: list[str]) -> int:
    recipe = parse(arguments)
    output = Path(recipe.output)
    started = time.time()
    # A short run is a trial: to compare trials by the test set would be to choose by it.
    trial = recipe.epochs < Recipe().epochs
    try:
        students = best_first(train(recipe, data.load(train=True)), recipe)
        if not trial:
            test = data.load(train=False)
            for student in students:
                student["metrics"] |= _test(student, test)
        # What chance is worth: the first, which is released, and the others.
        numbers = [_numbers(student) for student in students]
        for student, path in zip(students, outputs(recipe), strict=True):
            student["metrics"]["students"] = numbers
            write(student, path)
            export(path)
            write_description(student, path)
    except (DataError, PenDataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.", file=sys.stderr)
        if output.exists() and output.stat().st_mtime >= started:
            export(output)
            print(f"Latest checkpoint: {output}.", file=sys.stderr)
        return INTERRUPTED
    metrics = students[0]["metrics"]
    for path, reached in zip(outputs(recipe), numbers, strict=True):
        print(
            f"{path}: "
            + ", ".join(
                f"{name.replace('_', ' ')} {value:.2%}"
                for name, value in reached.items()
                if not name.endswith("_loss")
            )
        )
    print(f"{metrics['minutes']:.1f} minutes")
    if trial:
        print(f"Trial run (fewer than {Recipe().epochs} epochs): not evaluated on the test set.")
        return 0
    if metrics["test_accuracy"] < recipe.target_accuracy:
        print(
            f"MNIST test accuracy {metrics['test_accuracy']:.2%} is below the target {recipe.target_accuracy:.2%}.",
            file=sys.stderr,
        )
        return 1
    return 0


def _numbers(student: dict[str, Any]) -> dict[str, float]:
    """What it reached; the minutes are the whole run's."""
    metrics = student["metrics"].items()
    return {name: value for name, value in metrics if isinstance(value, float) and name != "minutes"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
