"""The code in docs/your-own-images.md works with the modules that it changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handler import preprocessing
from tests.documents import ROOT, blocks
from training.archive import reference
from training.data import mnist
from training.data.download import DataError

LOAD, CANDIDATES, REFERENCE, _ = blocks(ROOT / "docs" / "your-own-images.md", "python")
CLASSES = [f"class-{letter}" for letter in "abcdefghij"]


def _change(module: Any, block: Any, **names: Any) -> Any:
    """The names of a module after the change of the document."""
    changed = vars(module) | names
    exec(block.commands, changed)  # noqa: S102  code of this repository's document
    return changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two training images of each class, whose grey level is the number of the class."""
    for number, name in enumerate(CLASSES):
        of_class = tmp_path / "images" / "train" / name
        of_class.mkdir(parents=True)
        for file in ("1.png", "2.png"):
            Image.new("L", (56, 56), number).save(of_class / file)
    return tmp_path


def test_a_folder_is_loaded_with_the_whole_images(folder):
    candidates = _change(preprocessing, CANDIDATES)["candidates"]
    changed = _change(mnist, LOAD, preprocess=lambda image: candidates(image)[0].pixels)
    loaded = changed["load"](train=True, root=folder)
    assert loaded.labels.tolist() == [number for number in range(10) for _ in range(2)]
    assert loaded.images.shape == (20, 28, 28)
    assert (loaded.images == loaded.labels[:, np.newaxis, np.newaxis]).all()


def test_greys_of_a_canvas_are_a_picture_too():
    [candidate] = _change(preprocessing, CANDIDATES)["candidates"](np.full((280, 280), 7, np.uint8))
    assert candidate.pixels.tolist() == [[7] * 28] * 28


def test_a_missing_class_is_an_error(folder):
    with pytest.raises(DataError, match=r"images/test has PNG files of 0 classes\. Expected: 10"):
        _change(mnist, LOAD)["load"](train=False, root=folder)


def test_the_reference_for_drift_is_made_from_test_images(monkeypatch):
    monkeypatch.setattr(reference, "features", lambda _, images: {"count": [len(images)]})
    digits = mnist.Digits(np.zeros((2000, 28, 28), np.uint8), np.zeros(2000, np.int64))
    changed = _change(reference, REFERENCE, load=lambda *, train: None if train else digits)
    assert changed["reference"](None) == {"count": [reference.DRAWINGS]}
