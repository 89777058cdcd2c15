"""The recipe: every setting of a training run, in one place and on the command line.

    python -m training.train --epochs 3 --output runs/three.pt
    python -m training.train --quick

A default is the released recipe's value. Those of the augmentation say how far it may go to either side of no change.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Recipe:
    """Raises ValueError, naming the setting, its value and what is accepted, for one that cannot train."""

    output: str = "runs/latest.pt"
    # A full run that reads a smaller share of the MNIST test images right has failed.
    target_accuracy: float = 0.995

    seed: int = 0

    # Of the MNIST training set, not learned from: by them, and by as many drawings in styles that are held out, epoch,
    # temperature and threshold are chosen.
    validation_images: int = 5000
    drawn_images: int = 80_000
    drawn_none: float = 0.45  # the share of them that is no digit
    # How often each drawing by a person is rendered to learn from, beside those; and whether there are none.
    renderings: int = 24
    without_real_drawings: bool = False
    # Of each batch; what is left is MNIST.
    batch_size: int = 128
    drawn_share: float = 0.25
    none_share: float = 0.2
    labelled_share: float = 0.0  # drawings that people labelled, where there are any: training/retrain.py

    width: float = 1.0  # times that of handler/model.py

    # Networks of as many seeds: which comes out is told by validation, all together tell how much of it is chance.
    students: int = 1
    epochs: int = 16
    learning_rate: float = 4e-3  # at its peak, a fifth into the run
    weight_decay: float = 1e-2
    label_smoothing: float = 0.01
    # What is kept is the moving average of the weights over about so many steps.
    average_steps: int = 500
    # The share of digits that `is_digit` may reject: of MNIST's validation digits, of held-out styles, and of each
    # held-out writer's digits by a threshold that the other writers choose.
    rejected_share: float = 0.005

    # Augmentation
    rotation_degrees: float = 12.0
    shear: float = 0.25
    scale: float = 0.12
    aspect: float = 0.12
    shift_pixels: float = 2.0
    # The share of images whose strokes become thicker or thinner, by up to a pixel to each side.
    stroke_share: float = 0.4
    # Drawings vary by themselves: they get this share of all that.
    drawn_augmentation: float = 0.7

    def __post_init__(self) -> None:
        for name in (
            "students",
            "epochs",
            "batch_size",
            "average_steps",
            "validation_images",
            "drawn_images",
            "renderings",
            "learning_rate",
        ):
            self._expect(name, getattr(self, name) > 0, "more than 0")
        self._expect("width", self.width >= 0.1, "0.1 or more")
        for field in fields(self):
            if field.name.endswith(("_share", "_accuracy", "_none", "_smoothing", "_augmentation")):
                self._expect(field.name, 0 <= getattr(self, field.name) <= 1, "from 0 to 1")
        self._expect(
            "none_share",
            self.drawn_share + self.none_share + self.labelled_share < 1,
            "less than 1 together with drawn_share, or nothing is left for MNIST",
        )

    def _expect(self, name: str, holds: bool, accepted: str) -> None:
        if not holds:
            raise ValueError(f"Setting '{name}' has value '{getattr(self, name)}'. It must be {accepted}.")


# An epoch is a pass over MNIST, so with fewer drawings in a batch it is shorter.
QUICK = {
    "width": 0.667,
    "epochs": 4,
    "drawn_images": 16_000,
    "renderings": 3,
    "drawn_share": 0.18,
    "none_share": 0.14,
    "average_steps": 200,
}


def parse(arguments: list[str]) -> Recipe:
    """The recipe of a command line; ends the program, naming it, at an unknown setting or a value that does not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train the digit classifier.", allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="a smaller recipe: " + _as_arguments(QUICK))
    for field in fields(Recipe):
        kind = type(field.default)
        takes = (
            {"action": "store_true"}
            if kind is bool
            else {"type": kind, "metavar": kind.__name__.upper(), "help": f"default {field.default}"}
        )
        parser.add_argument(_argument(field.name), default=argparse.SUPPRESS, **takes)
    given = vars(parser.parse_args(arguments))
    quick = QUICK if given.pop("quick") else {}
    try:
        return Recipe(**{**quick, **given})
    except ValueError as error:
        parser.error(str(error))


def _argument(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _as_arguments(settings: Mapping[str, object]) -> str:
    return " ".join(f"{_argument(name)} {value}" for name, value in settings.items())
