"""Load the labelled drawings from the database and split them for training and test.

labelled = fetch("postgresql://page@127.0.0.1:8006/mnist", password)
training, test = labelled.split()
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray

from handler.images import read_image
from handler.preprocessing import preprocess
from training.data.mnist import Digits

# Share of the test split. The id alone decides, so a test drawing never becomes a training drawing.
TEST_SHARE = 0.25
QUERY = "SELECT id::text, drawing, true_label FROM predictions WHERE true_label IS NOT NULL ORDER BY id"


class LabelledError(Exception):
    """The labelled drawings cannot be loaded; the message gives the reason in one line."""


@dataclass(frozen=True)
class Labelled:
    """N drawings: ids, and prepared images with the labels that people gave."""

    ids: Sequence[str]
    digits: Digits

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: NDArray[np.bool_]) -> "Labelled":
        """The drawings with a true value in the mask `chosen`, (N,)."""
        places = np.flatnonzero(chosen)
        return Labelled([self.ids[place] for place in places], self.digits.take(places))

    def split(self) -> tuple["Labelled", "Labelled"]:
        """The training split and the test split."""
        test = np.array([is_test(id_) for id_ in self.ids], bool)
        return self.take(~test), self.take(test)

    def labels(self) -> dict[str, int]:
        """Labels by drawing id."""
        return dict(zip(self.ids, self.digits.labels.tolist(), strict=True))


def is_test(id_: str) -> bool:
    """Whether a drawing belongs to the test split; depends on its id alone."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4]) < TEST_SHARE * 2**32


def fetch(url: str, password: str) -> Labelled:
    """Load and prepare all labelled drawings. Raises LabelledError if the database is unavailable."""
    ids, images, labels = [], [], []
    try:
        with psycopg.connect(url, password=password, connect_timeout=5) as connection:
            for id_, drawing, label in connection.execute(QUERY):
                ids.append(id_)
                images.append(preprocess(read_image(drawing)))
                labels.append(label)
    except (OSError, psycopg.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise LabelledError(f"Database unavailable (check it with 'make status'): {reason}") from None
    pixels = np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
    return Labelled(ids, Digits(pixels, np.array(labels, np.int64)))
