"""The recipe: every setting of a training run. The defaults are those of the release, which has three students.

python -m training.train --help
python -m training.train --epochs 3 --output runs/three.pt
python -m training.train --quick
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar

T = TypeVar("T", str, int, float, bool)

POSITIVE, NOT_NEGATIVE, SHARE, WIDTH = "more than 0", "0 or more", "from 0 to 1", "0.1 or more"
RANGES: dict[str, Callable[[float], bool]] = {
    POSITIVE: lambda value: value > 0,
    NOT_NEGATIVE: lambda value: value >= 0,
    SHARE: lambda value: 0 <= value <= 1,
    WIDTH: lambda value: value >= 0.1,
}


def _setting(default: T, explanation: str, accepted: str | None = None) -> T:
    return field(default=default, metadata={"help": explanation, "accepted": accepted})


@dataclass(frozen=True)
class Recipe:
    """The settings of a run.

    Raises ValueError for a value that is out of range; the message names the setting, the value and the range.
    """

    output: str = _setting("runs/latest.pt", "path of the checkpoint")
    target_accuracy: float = _setting(
        0.995, "least accuracy on the MNIST test set; a full run below it fails", SHARE
    )

    seed: int = _setting(0, "seed of the first student; each further student gets the next one")

    validation_images: int = _setting(
        5000,
        "images in the validation split of MNIST's training set, and number of held-out generated digits and, again, "
        "of held-out generated non-digits; they select the student, the temperature and the threshold",
        POSITIVE,
    )
    drawn_images: int = _setting(
        80_000, "generated drawings for training; with 0 there are none for selection either", NOT_NEGATIVE
    )
    drawn_none: float = _setting(0.45, "share of non-digits in the generated drawings, 0 to 1", SHARE)
    renderings: int = _setting(12, "training images from each real drawing", POSITIVE)
    without_real_drawings: bool = _setting(False, "train without the real drawings")

    batch_size: int = _setting(128, "images in a batch; MNIST has the rest beside the shares below", POSITIVE)
    drawn_share: float = _setting(0.2, "share of drawn digits in a batch, 0 to 1", SHARE)
    none_share: float = _setting(0.13, "share of drawn non-digits in a batch, 0 to 1", SHARE)
    labelled_share: float = _setting(
        0.0, "share of labelled drawings in a batch, 0 to 1; training.retrain alone uses it", SHARE
    )

    width: float = _setting(1.0, "factor on the channels of handler/model.py, 0.1 or more", WIDTH)

    students: int = _setting(1, "networks to train, one per seed; the lowest validation loss wins", POSITIVE)
    epochs: int = _setting(
        24, "passes over MNIST; fewer than the default is a trial without the test set", POSITIVE
    )
    learning_rate: float = _setting(4e-3, "peak learning rate, reached after a fifth of the steps", POSITIVE)
    weight_decay: float = _setting(1e-2, "weight decay of Muon and AdamW")
    label_smoothing: float = _setting(
        0.01, "share of a digit's label that is spread among the ten digits, 0 to 1", SHARE
    )
    average_steps: int = _setting(500, "steps that the moving average of the weights spans", POSITIVE)
    rejected_share: float = _setting(
        0.005,
        "largest share of digits that is_digit rejects in MNIST validation and of each held-out writer, 0 to 1",
        SHARE,
    )

    rotation_degrees: float = _setting(12.0, "augmentation: largest rotation in degrees, to either side")
    shear: float = _setting(0.25, "augmentation: largest shear, to either side")
    scale: float = _setting(0.12, "augmentation: largest change of size, as a share")
    aspect: float = _setting(0.12, "augmentation: largest change of the width alone, as a share")
    shift_pixels: float = _setting(2.0, "augmentation: largest shift in pixels, in either direction")
    stroke_share: float = _setting(
        0.4,
        "augmentation: share of images with strokes up to 1 pixel thicker or 0.5 thinner on each side",
        SHARE,
    )
    drawn_augmentation: float = _setting(
        0.7, "share of the augmentation that drawings get, 0 to 1; they vary already", SHARE
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            if accepted := setting.metadata["accepted"]:
                self._expect(setting.name, RANGES[accepted](getattr(self, setting.name)), accepted)
        self._expect(
            "none_share",
            self.drawn_share + self.none_share + self.labelled_share < 1,
            "less than 1 together with drawn_share and labelled_share; MNIST gets the rest of the batch",
        )

    def _expect(self, name: str, valid: bool, accepted: str) -> None:
        if not valid:
            raise ValueError(f"Setting '{name}' has value '{getattr(self, name)}'. It must be {accepted}.")


# An epoch is a pass over MNIST. Fewer drawings in a batch make it shorter.
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
    """Parse a command line into a recipe.

    Raises SystemExit with status 2 for an unknown setting or a value out of range; the message names it.
    """
    parser = argparse.ArgumentParser(
        prog="python -m training.train", description="Train the digit classifier.", allow_abbrev=False
    )
    parser.add_argument("--quick", action="store_true", help="a smaller recipe: " + _as_arguments(QUICK))
    for setting in fields(Recipe):
        name, kind, explanation = _argument(setting.name), type(setting.default), setting.metadata["help"]
        if kind is bool:
            parser.add_argument(name, action="store_true", help=explanation)
        else:
            explanation += " (default %(default)s)"
            value = kind.__name__.upper()
            parser.add_argument(name, default=setting.default, type=kind, metavar=value, help=explanation)
    # argparse: values of the namespace replace defaults, and options replace both.
    quick = QUICK if "--quick" in arguments else {}
    values = vars(parser.parse_args(arguments, argparse.Namespace(**quick)))
    del values["quick"]
    try:
        return Recipe(**values)
    except ValueError as error:
        parser.error(str(error))


def _argument(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _as_arguments(settings: Mapping[str, object]) -> str:
    return " ".join(f"{_argument(name)} {value}" for name, value in settings.items())
