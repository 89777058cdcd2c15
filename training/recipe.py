"""The recipe: every setting of a training run, in one place and on the command line.

    python -m training.train --epochs 3 --output runs/quick.pt

A default is the released recipe's value. Those of the augmentation say how far it may go to either side of no change.
"""

import argparse
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Recipe:
    """Raises ValueError, naming the setting, its value and what is accepted, for one that cannot train."""

    output: str = "runs/latest.pt"
    # A full run that reads a smaller share of the MNIST test images right has failed.
    target_accuracy: float = 0.995

    seed: int = 0
    epochs: int = 13
    batch_size: int = 128
    learning_rate: float = 4e-3  # at its peak, a fifth into the run
    weight_decay: float = 1e-2
    label_smoothing: float = 0.05
    # What is kept is the moving average of the weights over about so many steps.
    average_steps: int = 500
    # Of the training set, not learned from: the best epoch, temperature and threshold are chosen by them.
    validation_images: int = 5000
    # The share of validation digits that `is_digit` may call none: its threshold is this quantile of their confidences.
    rejected_share: float = 0.005

    # Augmentation
    rotation_degrees: float = 12.0
    shear: float = 0.25
    scale: float = 0.12
    aspect: float = 0.12
    shift_pixels: float = 2.0
    # The share of images whose strokes become thicker or thinner, by up to a pixel to each side.
    stroke_share: float = 0.4

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "average_steps", "validation_images", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(self._wrong(name, "more than 0"))
        for name in ("target_accuracy", "label_smoothing", "rejected_share", "stroke_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(self._wrong(name, "from 0 to 1"))

    def _wrong(self, name: str, accepted: str) -> str:
        return f"Setting '{name}' has value '{getattr(self, name)}'. It must be {accepted}."


def parse(arguments: list[str]) -> Recipe:
    """The recipe of a command line; ends the program, naming it, at an unknown setting or a value that does not fit."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train the digit classifier.", allow_abbrev=False
    )
    for field in fields(Recipe):
        kind = type(field.default)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kind,
            default=field.default,
            metavar=kind.__name__.upper(),
            help=f"default {field.default}",
        )
    try:
        return Recipe(**vars(parser.parse_args(arguments)))
    except ValueError as error:
        parser.error(str(error))
