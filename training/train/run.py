"""Train the digit classifier: from the MNIST files to a checkpoint and its ONNX files.

    python -m training.train                                   the released recipe
    python -m training.train --quick                           a smaller recipe
    python -m training.train --epochs 3 --output runs/three.pt

The run generates drawings, then trains the students. It writes a checkpoint after each epoch. After an interruption,
the same command resumes. A full run exits with status 1 if it misses its target on the test set.
"""

import shutil
import sys
import time
from pathlib import Path

import numpy as np
import torch

from handler.model import CHANNELS, restore_model
from handler.predictor import digit_probabilities
from training.data import mnist as data
from training.data.download import DataError
from training.data.mnist import Digits
from training.train.checkpoint import (
    Checkpoint,
    EvaluationData,
    compute_logits,
    measure_accuracy,
    write,
    write_description,
)
from training.train.drawings import prepare_drawings
from training.train.fit import Plan
from training.train.mix import Mix
from training.train.onnx_export import export
from training.train.recipe import Recipe, parse
from training.train.trainer import selection_loss, train_students

INTERRUPTED = 130  # exit status of shells after Ctrl-C


def train(recipe: Recipe, digits: Digits) -> list[Checkpoint]:
    """Train the students on the MNIST training set `digits`, save their checkpoints, and return them.

    The validation split, held-out styles and held-out writers select temperature and threshold. The test set is not
    read. Raises ValueError if the validation split leaves less than one batch for training, DataError if pen strokes
    are missing.
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
    plans = {
        output: Plan(f"student {number + 1}", channels, recipe.epochs, recipe.seed + number)
        for number, output in enumerate(outputs(recipe))
    }
    mix, selection = Mix(learned, drawings, recipe), EvaluationData(validation, held_out)
    minutes = train_students(plans, recipe, mix, selection, folder=folder, begun=begun)
    shutil.rmtree(folder)
    trained: list[Checkpoint] = [torch.load(output, weights_only=True) for output in plans]
    for plan, student in zip(plans.values(), trained, strict=True):
        student["seed"] = plan.seed
        student["metrics"]["minutes"] = minutes
    return trained


def outputs(recipe: Recipe) -> list[Path]:
    """Paths of the students' checkpoints: latest.pt, latest-2.pt and so on."""
    first = Path(recipe.output)
    others = [first.with_stem(f"{first.stem}-{number}") for number in range(2, recipe.students + 1)]
    return [first, *others]


def split(digits: Digits, recipe: Recipe) -> tuple[Digits, Digits]:
    """The training split and the validation split, determined by the seed."""
    order = np.random.default_rng(recipe.seed).permutation(len(digits))
    return digits.take(order[recipe.validation_images :]), digits.take(order[: recipe.validation_images])


def main(arguments: list[str]) -> int:
    recipe = parse(arguments)
    output = Path(recipe.output)
    started = time.time()
    # A short run is a trial. Comparing trials on the test set would select on it.
    trial = recipe.epochs < Recipe().epochs
    try:
        # The first one is the release candidate.
        students = sorted(train(recipe, data.load(train=True)), key=selection_loss)
        if not trial:
            test = data.load(train=False)
            for student in students:
                logits = compute_logits(restore_model(student["state_dict"]), test.images)
                probabilities = digit_probabilities(logits, student["temperature"])
                student["metrics"] |= measure_accuracy("test", probabilities, test.labels)
        # Metrics of all students, the selected one first: their spread shows the effect of chance.
        numbers = [
            {name: value for name, value in student["metrics"].items() if isinstance(value, float)}
            for student in students
        ]
        for reached in numbers:
            minutes = reached.pop("minutes")  # of the whole run
        for student, path in zip(students, outputs(recipe), strict=True):
            student["metrics"]["students"] = numbers
            write(student, path)
            export(path)
            write_description(student, path)
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.", file=sys.stderr)
        if output.exists() and output.stat().st_mtime >= started:
            export(output)
            print(f"Latest checkpoint: {output}.", file=sys.stderr)
        return INTERRUPTED
    for path, reached in zip(outputs(recipe), numbers, strict=True):
        shares = {
            name.replace("_", " "): value for name, value in reached.items() if not name.endswith("_loss")
        }
        print(f"{path}: {', '.join(f'{name} {value:.2%}' for name, value in shares.items())}")
    print(f"{minutes:.1f} minutes")
    if trial:
        print(f"Trial run (fewer than {Recipe().epochs} epochs): not evaluated on the test set.")
        return 0
    accuracy, target = numbers[0]["test_accuracy"], recipe.target_accuracy
    if accuracy < target:
        print(f"MNIST test accuracy {accuracy:.2%} is below the target {target:.2%}.", file=sys.stderr)
        return 1
    return 0
