"""Labelled drawings are loaded from the database or a file, prepared, and split by their ids."""

import hashlib
import io
import uuid
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psycopg
import pytest

from fixtures import known_digits
from handler.preprocessing import preprocess
from tests.training import synthetic
from training.retrain import labelled
from training.retrain.labelled import Labelled, LabelledError, fetch, is_test, read


@pytest.fixture
def rows(monkeypatch):
    """Rows of the fake database."""
    answered = []

    class Connection:
        def execute(self, query):
            assert "true_label IS NOT NULL" in query
            return answered

    @contextmanager
    def connect(url, **how):
        assert url == "postgresql://page@127.0.0.1/mnist"
        assert how["password"] == "of the page"  # noqa: S105
        yield Connection()

    monkeypatch.setattr(labelled.psycopg, "connect", connect)
    return answered


def _fetch() -> Labelled:
    return fetch("postgresql://page@127.0.0.1/mnist", "of the page")


def _png(digit: int) -> bytes:
    file = io.BytesIO()
    known_digits.draw(digit).save(file, "PNG")
    return file.getvalue()


def test_drawings_are_prepared(rows):
    rows += [("a", _png(7), 7), ("b", _png(1), 9)]
    found = _fetch()
    assert found.labels() == {"a": 7, "b": 9}
    assert (found.digits.images[0] == preprocess(known_digits.draw(7))).all()


def test_an_uploaded_drawing_may_be_a_webp(rows):
    file = io.BytesIO()
    known_digits.draw(7).save(file, "WEBP", lossless=True)
    rows += [("a", file.getvalue(), 7)]
    assert (_fetch().digits.images[0] == preprocess(known_digits.draw(7))).all()


def test_no_labels_give_an_empty_result(rows):
    assert len(_fetch()) == 0
    training, test = _fetch().split()
    assert len(training) == len(test) == 0


def test_an_unavailable_database_is_reported_in_one_line(monkeypatch):
    def refuse(*_, **__):
        raise psycopg.OperationalError("connection refused\nand more of it")

    monkeypatch.setattr(labelled.psycopg, "connect", refuse)
    with pytest.raises(
        LabelledError, match=r"^Database unavailable \(check it with 'make status'\): connection refused$"
    ):
        _fetch()


@pytest.fixture
def file(tmp_path) -> Path:
    """Two labelled drawings as tests/ops/data/test_labels.py expects them from `make push-labels`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as pictures:
        for number, digit in ((1, 7), (2, 1)):
            pictures.writestr(zipfile.ZipInfo(f"{digit}/{uuid.UUID(int=number)}.png"), _png(digit))
    checksum = hashlib.sha256(content.getvalue()).hexdigest()
    path = tmp_path / f"2026-11-01_2026-12-01_v1_2-drawings_sha256-{checksum[:12]}.zip"
    path.write_bytes(content.getvalue())
    return path


def test_a_file_gives_the_drawings_that_the_database_gives(rows, file):
    rows += [(str(uuid.UUID(int=1)), _png(7), 7), (str(uuid.UUID(int=2)), _png(1), 1)]
    there, here = _fetch(), read(file)
    assert list(here.ids) == list(there.ids)
    assert here.labels() == there.labels()
    assert (here.digits.images == there.digits.images).all()
    assert here.digits.images.dtype == there.digits.images.dtype


@pytest.mark.parametrize("place", [0, -1])
def test_a_damaged_file_is_refused(file, place):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        LabelledError, match=r"^LABELS '.+zip' is damaged or renamed: its SHA-256 is [0-9a-f]{64}$"
    ):
        read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        LabelledError, match=r"^LABELS '.+/none.zip' cannot be read: No such file or directory$"
    ):
        read(tmp_path / "none.zip")


def test_a_quarter_is_the_test_split_and_depends_on_the_id_alone():
    ids = [str(uuid.UUID(int=number)) for number in range(4000)]
    test_ids = {id_ for id_ in ids if is_test(id_)}
    assert 900 < len(test_ids) < 1100
    digits = synthetic.digits(40)
    some = Labelled(ids[:40], digits)
    training, test = some.split()
    assert set(test.ids) == test_ids & set(ids[:40])
    assert set(training.ids) | set(test.ids) == set(ids[:40])
    place = ids.index(test.ids[0])
    assert (test.digits.images[0] == digits.images[place]).all()
    assert test.digits.labels[0] == digits.labels[place]
    # Other drawings do not change the split.
    assert set(Labelled(ids[:20], digits.take(np.arange(20))).split()[1].ids) == test_ids & set(ids[:20])
