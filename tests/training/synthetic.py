"""Generated digits and small recipes for fast tests without MNIST."""

import functools
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fixtures import known_digits
from handler.preprocessing import preprocess
from training.archive.pack import HANDLER, RELEASED_CHECKPOINT
from training.data import mnist as data
from training.data.mnist import Digits
from training.evaluate import measure
from training.strokes.generate import generate_drawings
from training.train.augmentation import augment
from training.train.recipe import Recipe


def digits(count: int, seed: int = 0) -> Digits:
    """`count` prepared digits, 0 to 9 in turn, with variation."""
    plain = np.stack([preprocess(known_digits.draw(digit)) for digit in range(10)])
    labels = np.arange(count) % 10
    generator = torch.Generator().manual_seed(seed)
    images = torch.from_numpy(plain[labels]).unsqueeze(1).float().div(255)
    changed = augment(images, Recipe(rotation_degrees=5, shear=0.1, stroke_share=0.2), generator)
    return Digits(changed.squeeze(1).mul(255).round().byte().numpy(), labels.astype(np.int64))


def calibration_images() -> NDArray[np.uint8]:
    """A small calibration set without MNIST."""
    return digits(40).images


def shrink_evaluation(monkeypatch, test: Digits) -> None:
    """Replace the test set, measure few generated drawings, and hide the real ones."""
    monkeypatch.setattr(data, "load", lambda *, train: None if train else test)
    monkeypatch.setattr(measure, "measure_invariance", functools.partial(measure.measure_invariance, count=5))
    monkeypatch.setattr(measure, "measure_acceptance", functools.partial(measure.measure_acceptance, count=2))
    monkeypatch.setattr(measure, "load_held_out_writers", lambda: None)


# Cached: the same seed gives the same drawings.
generate_cached = functools.cache(generate_drawings)


def quick(**settings) -> Recipe:
    """A recipe that learns these digits in about a hundred steps, with little augmentation."""
    size = {
        "epochs": 5,
        "width": 0.25,
        "batch_size": 10,
        "learning_rate": 6e-3,
        "average_steps": 20,
        "validation_images": 20,
    }
    augmentation = {"shear": 0.1, "rotation_degrees": 5.0, "stroke_share": 0.0}
    drawings = {
        "drawn_images": 60,
        "drawn_share": 0.2,
        "none_share": 0.1,
        "without_real_drawings": True,
    }
    return Recipe(**(size | augmentation | drawings | settings))


def archive(path: Path, *names: str, **handler: str) -> Path:
    """Make an archive of the released weights; `handler` has code to append to its files."""
    with zipfile.ZipFile(path, "w") as contents:
        for name in names:
            contents.write(RELEASED_CHECKPOINT.with_suffix(name.removeprefix("weights")), name)
        for file in HANDLER.glob("*.py"):
            contents.writestr(f"handler/{file.name}", file.read_text() + handler.get(file.stem, ""))
    return path
