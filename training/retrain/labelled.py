"""Load the labelled drawings from the database or a file, and split them for training and test.

labelled = fetch("postgresql://page@127.0.0.1:8006/mnist", password)
labelled = read(Path("var/labels/NAME"))  # of `make pull-labels`
training, test = labelled.split()
"""

import hashlib
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    try:
        with psycopg.connect(url, password=password, connect_timeout=5) as connection:
            return _prepare(connection.execute(QUERY))
    except (OSError, psycopg.Error) as error:
        reason = str(error).strip().partition("\n")[0]
        raise LabelledError(f"Database unavailable (check it with 'make status'): {reason}") from None


def read(path: Path) -> Labelled:
    """Load and prepare the labelled drawings of a file, which ops/data/labels.py wrote.

    Raises LabelledError if it is missing, or if its checksum is not the one in its name.
    """
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LabelledError(f"LABELS '{path}' cannot be read: {error.strerror}") from None
    if f"_sha256-{checksum[:12]}." not in path.name:
        raise LabelledError(f"LABELS '{path}' is damaged or renamed: its SHA-256 is {checksum}")
    with zipfile.ZipFile(path) as pictures:
        names = [(name, *re.split("[/.]", name)) for name in pictures.namelist()]  # such as 7/ID.png
        return _prepare((id_, pictures.read(name), int(label)) for name, label, id_, _ in names)


def _prepare(drawings: Iterable[tuple[str, bytes, int]]) -> Labelled:
    """The labelled drawings of ids, pictures and labels."""
    ids, images, labels = [], [], []
    for id_, drawing, label in drawings:
        ids.append(id_)
        images.append(preprocess(read_image(drawing)))
        labels.append(label)
    pixels = np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
    return Labelled(ids, Digits(pixels, np.array(labels, np.int64)))
