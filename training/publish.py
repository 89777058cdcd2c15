"""Publish a checkpoint: put it into git's folder with its numbers and its model card.

    python -m training.publish --checkpoint runs/latest.pt --version 1.0 --history "the only run"

writes training/release/mnist-1.0.pt, mnist-1.0.json and training/MODEL_CARD.md. Every number in them was measured
here or in the run. Typed is the history alone: how many runs were made and what was known of them when this one was
chosen, which no file can tell and without which a test accuracy cannot be judged.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from handler.model import DigitClassifier
from handler.predictor import Predictor
from training import data
from training.archive import VERSION_FORM
from training.data import DataError
from training.evaluate import Evaluation, drawings, evaluate

FOLDER = Path(__file__).resolve().parent
MAXIMUM_BYTES = 2_500_000  # git keeps every version for ever


def publish(checkpoint: Path, version: str, history: str, folder: Path = FOLDER) -> Path:
    """Measure a checkpoint, write its files under `folder`; gives back the model card's path.

    Raises DataError where MNIST is missing, ValueError for a checkpoint that is too large for git.
    """
    if checkpoint.stat().st_size > MAXIMUM_BYTES:
        raise ValueError(f"{checkpoint} has {checkpoint.stat().st_size:,} bytes, more than {MAXIMUM_BYTES:,}")
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    predictor = Predictor.load(checkpoint, version)
    test, drawn = data.load(train=False), drawings()
    measured = {
        "version": version,
        "history": history,
        "parameters": sum(parameter.numel() for parameter in DigitClassifier().parameters()),
        "bytes": checkpoint.stat().st_size,
        "mnist_test": _numbers(evaluate(predictor, test)),
        "pendigits": None if drawn is None else _numbers(evaluate(predictor, drawn)),
        **{name: value for name, value in content.items() if name != "state_dict"},
    }
    released = folder / "release" / f"mnist-{version}.pt"
    released.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(checkpoint, released)
    released.with_suffix(".json").write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    written = folder / "MODEL_CARD.md"
    written.write_text(card(measured), encoding="utf-8")
    return written


def _numbers(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "digits": int(evaluation.confusion.sum()),
        "accuracy": evaluation.accuracy,
        "calibration_error": evaluation.calibration_error,
        "called_no_digit": evaluation.called_no_digit,
        "accuracy_by_digit": (evaluation.confusion.diagonal() / evaluation.confusion.sum(axis=1)).tolist(),
    }


def _row(name: str, numbers: dict[str, Any] | None) -> str:
    if numbers is None:
        return f"| {name} | not measured | | | |"
    return (
        f"| {name} | {numbers['digits']:,} | {numbers['accuracy']:.2%} "
        f"| {numbers['calibration_error']:.2%} | {numbers['called_no_digit']:.2%} |"
    )


def _weakest(numbers: dict[str, Any] | None) -> str:
    if numbers is None:
        return ""
    accuracy = numbers["accuracy_by_digit"]
    digit = min(range(10), key=lambda index: accuracy[index])
    return f" Of the drawings the {digit} is read worst, {accuracy[digit]:.1%} right."


def card(measured: dict[str, Any]) -> str:
    """The model card. What of it is text holds for every model of this recipe; numbers are the model's."""
    metrics, settings, libraries = measured["metrics"], measured["settings"], measured["libraries"]
    checksums = "\n".join(f"| {name} | `{md5}` |" for name, md5 in measured["data_checksums"].items())
    recipe = "\n".join(f"| `{name}` | {value} |" for name, value in settings.items())
    return f"""# Model card: mnist {measured["version"]}

A convolutional network that names one handwritten digit. [handler/model.py](../handler/model.py) is the network,
[release/](release) holds the weights ({measured["bytes"] / 1e6:.2f} MB) and all numbers as JSON. It was written by
`python -m training.publish`; every number comes from the run or was measured by it.

- Input: 28x28 pixels, ink on paper 0, prepared by [handler/preprocessing.py](../handler/preprocessing.py).
- Output: probabilities of 0 to 9. {measured["parameters"]:,} parameters.
- Temperature {measured["temperature"]:.3f}, fitted on the validation split, makes confidence mean what it says.
- `is_digit`: confidence of {measured["digit_threshold"]:.3f} or more;
  {settings["rejected_share"]:.1%} of the validation digits lie under it.

## Numbers

Measured through preprocessing and predictor, as served. Epoch, temperature and threshold were chosen on
{settings["validation_images"]:,} images held out of the training set ({metrics["validation_accuracy"]:.2%} right).

How this run came to be chosen: {measured["history"]}

| | digits | accuracy | calibration error (15 bins) | called no digit |
|---|---|---|---|---|
{_row("MNIST test set", measured["mnist_test"])}
{_row("pendigits, drawn on a tablet by 30 people", measured["pendigits"])}

## Data

MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0), 60,000 digits to train on and 10,000 to test, the
original files:

| file | md5 |
|---|---|
{checksums}

pendigits (E. Alpaydin, F. Alimoglu; UCI Machine Learning Repository 81; CC BY 4.0) is measured on, never trained on.

## Limits

- One digit a picture. Two of them, or a word, get an answer as if they were one.
- What is no digit is recognised by low confidence alone: a blank always, a scribble or a letter often not.
- Ones with a long flag and a foot, barred sevens and slashed zeros are rare in what it learned from.
 {_weakest(measured["pendigits"])}
- Every digit it knows is upright: training turns them by {settings["rotation_degrees"]:.0f} degrees at most.

## Reproduce

`make data train`. The released run took {metrics["minutes"]:.0f} minutes on a busy machine with two cores. The same
seed gives the same model on the same machine and threads; elsewhere expect its accuracy within 0.1 points.

Code `{measured["git_revision"]}`, Python {libraries["python"]}, torch {libraries["torch"]}, torchvision
{libraries["torchvision"]}, numpy {libraries["numpy"]}.

| setting | value |
|---|---|
{recipe}
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Publish a checkpoint with its numbers and its model card.")
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/latest.pt"))
    parser.add_argument("--version", required=True, help="for example 1.1")
    parser.add_argument("--history", required=True, help="the runs made, and what was known of them")
    options = parser.parse_args(arguments)
    if not VERSION_FORM.fullmatch(options.version):
        parser.error(f"VERSION '{options.version}' is not a version, for example: --version 1.1")
    if not options.checkpoint.is_file():
        parser.error(f"CHECKPOINT '{options.checkpoint}' is not a file; 'make train' writes runs/latest.pt")
    try:
        written = publish(options.checkpoint, options.version, options.history)
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{written}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
