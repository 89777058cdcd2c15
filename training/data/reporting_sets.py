"""The reporting sets: real drawings for published numbers; no model learns from them. They are optional.

`../shared/drawn/drawn.py` renders them as on the page's canvas: pendigits by the six writers with a number divisible by
5, and the five alphabets of Omniglot's small background set 1. Only `make evaluate ARGS=--report`, publishing and the
tests of the release read them. If a recipe were selected on them, its published numbers would be too good.
"""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.preprocessing import preprocess
from training.data.mnist import Digits

SCRIPT = Path(__file__).resolve().parents[3] / "shared" / "drawn" / "drawn.py"
MISSING = "there is no ../shared/drawn; put its drawn.py and data there (UCI data set 81, Omniglot)"


def digits(limit: int | None = None) -> Digits | None:
    """Prepared digits by the reporting writers, at most `limit`; None if the data is missing."""
    if not SCRIPT.exists():
        return None
    images, labels = _load_script().pendigits(limit, writers="reporting")
    return Digits(_prepare(images), np.array(labels, dtype=np.int64))


def non_digits() -> NDArray[np.uint8] | None:
    """Prepared non-digits, uint8 (N, 28, 28); None if the data is missing."""
    return _prepare(_load_script().omniglot(None)[0]) if SCRIPT.exists() else None


def _prepare(images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.stack([preprocess(Image.fromarray(image)) for image in images])


def _load_script() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))
