"""The reporting sets: real drawings by people whom no model learns from, where they lie beside the checkout.

`../shared/drawn/drawn.py` renders them as the page's canvas shows drawings: pendigits by the six writers whose number
is divisible by 5, and the five alphabets of Omniglot's small background set 1. Only `make evaluate ARGS=--report`,
publishing and the tests of the release read them: a recipe that was chosen by them would make their numbers too good.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.preprocessing import preprocess
from training.data import Digits

SCRIPT = Path(__file__).resolve().parent.parent.parent / "shared" / "drawn" / "drawn.py"
NOT_AT_HAND = "there is no ../shared/drawn; put its drawn.py and data there (UCI data set 81, Omniglot)"


def digits(limit: int | None = None) -> Digits | None:
    """The reporting writers' digits, or `limit` of them, prepared; None where they are not at hand."""
    script = _script()
    if script is None:
        return None
    images, labels = script.pendigits(limit, writers="reporting")
    return Digits(_prepared(images), np.array(labels, dtype=np.int64))


def others(limit: int | None = None) -> NDArray[np.uint8] | None:
    """The characters that are no digits, or `limit` of them, prepared, uint8 (N, 28, 28); None as above."""
    script = _script()
    return None if script is None else _prepared(script.omniglot(limit)[0])


def _prepared(images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.stack([preprocess(Image.fromarray(image)) for image in images])


def _script() -> ModuleType | None:
    if not SCRIPT.exists():
        return None
    spec = importlib.util.spec_from_file_location("drawn", SCRIPT)
    if spec is None or spec.loader is None:
        return None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script
