"""The drawings that people labelled on the page: what the next model learns from, and what it is judged by.

found = fetch("postgresql://page@127.0.0.1:8006/mnist", password)
to_learn, to_judge = found.split()
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray

from handler.images import decoded, open_image
from handler.preprocessing import preprocess
from training.data import Digits

# Of all drawings, and by their ids alone: a drawing that once only judged is never learned from.
HELD_SHARE = 0.25
QUERY = "SELECT id::text, drawing, true_label FROM predictions WHERE true_label IS NOT NULL ORDER BY id"


class LabelledError(Exception):
    """The labelled drawings cannot be had; the message says why, in one line."""


@dataclass(frozen=True)
class Labelled:
    """N drawings: their ids, and what the model sees of them with what people said they are."""

    ids: Sequence[str]
    digits: Digits

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, chosen: NDArray[np.bool_]) -> "Labelled":
        """Those for which `chosen`, (N,), is true."""
        places = np.flatnonzero(chosen)
        return Labelled([self.ids[place] for place in places], self.digits.take(places))

    def split(self) -> tuple["Labelled", "Labelled"]:
        """Those to learn from, and those that only ever judge."""
        held = np.array([is_held(id_) for id_ in self.ids], bool)
        return self.take(~held), self.take(held)

    def labels(self) -> dict[str, int]:
        """Each drawing's label by its id."""
        return dict(zip(self.ids, self.digits.labels.tolist(), strict=True))


def is_held(id_: str) -> bool:
    """Whether a drawing only ever judges: the same for the same id, whatever else there is."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4]) < HELD_SHARE * 2**32


def fetch(url: str, password: str) -> Labelled:
    """Every labelled drawing of the log, prepared. Raises LabelledError where the database does not answer."""
    ids, images, labels = [], [], []
    try:
        with psycopg.connect(url, password=password, connect_timeout=5) as connection:
            for id_, drawing, label in connection.execute(QUERY):
                ids.append(id_)
                images.append(preprocess(decoded(open_image(drawing))))
                labels.append(label)
    except (OSError, psycopg.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise LabelledError(f"Database unavailable (check it with 'make status'): {reason}") from None
    pixels = np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
    return Labelled(ids, Digits(pixels, np.array(labels, np.int64)))
