"""What people labelled comes out of the database prepared, and always on the same side of the split."""

import io
import uuid
from contextlib import contextmanager

import numpy as np
import psycopg
import pytest

from handler.preprocessing import preprocess
from tests.training import synthetic
from training import known_digits, labelled
from training.labelled import Labelled, LabelledError, fetch, is_held


@pytest.fixture
def rows(monkeypatch):
    """The rows that the database answers with."""
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


def _fetched() -> Labelled:
    return fetch("postgresql://page@127.0.0.1/mnist", "of the page")


def _png(digit: int) -> bytes:
    file = io.BytesIO()
    known_digits.draw(digit).save(file, "PNG")
    return file.getvalue()


def test_drawings_come_as_the_model_sees_them(rows):
    rows += [("a", _png(7), 7), ("b", _png(1), 9)]
    found = _fetched()
    assert found.labels() == {"a": 7, "b": 9}
    assert (found.digits.images[0] == preprocess(known_digits.draw(7))).all()


def test_a_picture_that_came_as_a_file_may_be_a_webp(rows):
    file = io.BytesIO()
    known_digits.draw(7).save(file, "WEBP", lossless=True)
    rows += [("a", file.getvalue(), 7)]
    assert (_fetched().digits.images[0] == preprocess(known_digits.draw(7))).all()


def test_where_nothing_is_labelled_there_are_none(rows):
    assert len(_fetched()) == 0
    to_learn, to_judge = _fetched().split()
    assert len(to_learn) == len(to_judge) == 0


def test_a_database_that_is_away_is_said_in_one_line(monkeypatch):
    def refused(*_, **__):
        raise psycopg.OperationalError("connection refused\nand more of it")

    monkeypatch.setattr(labelled.psycopg, "connect", refused)
    with pytest.raises(
        LabelledError, match=r"^Database unavailable \(check it with 'make status'\): connection refused$"
    ):
        _fetched()


def test_a_quarter_only_ever_judges_and_always_the_same():
    ids = [str(uuid.UUID(int=number)) for number in range(4000)]
    held = {id_ for id_ in ids if is_held(id_)}
    assert 900 < len(held) < 1100
    digits = synthetic.digits(40)
    some = Labelled(ids[:40], digits)
    to_learn, to_judge = some.split()
    assert set(to_judge.ids) == held & set(ids[:40])
    assert set(to_learn.ids) | set(to_judge.ids) == set(ids[:40])
    place = ids.index(to_judge.ids[0])
    assert (to_judge.digits.images[0] == digits.images[place]).all()
    assert to_judge.digits.labels[0] == digits.labels[place]
    # More drawings move none.
    assert set(Labelled(ids[:20], digits.take(np.arange(20))).split()[1].ids) == held & set(ids[:20])
