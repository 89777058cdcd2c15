"""What happens on the page: strokes, undo, clear, labels, uploads, and the order in which things are kept."""

import sqlite3

import pytest

from tests.ui.conftest import ANSWER
from ui.model_client import AWAY
from ui.session import LABEL_NOT_KEPT, NOT_A_DIGIT, NOT_KEPT, Session

ONE, TWO, EMPTY = b"one stroke", b"two strokes", b"no stroke"


@pytest.fixture
def session(client, outbox):
    return Session(client, outbox)


def _kept(session):
    return session.outbox.oldest(100)


def test_a_stroke_is_answered_and_kept(session):
    session.look_at_canvas(["a"], ONE)
    assert session.drawing.answer.digit == 7
    [record] = _kept(session)
    assert (record.drawing, record.revision, record.true_label) == (ONE, 1, None)


def test_a_rerun_with_the_same_picture_asks_and_keeps_nothing_new(session, fake_model):
    for _ in range(3):
        session.look_at_canvas(["a"], ONE)
    assert len(fake_model.requests) == 1
    assert session.drawing.revision == 1


def test_an_untouched_canvas_is_no_drawing(session, fake_model):
    session.look_at_canvas([], None)
    session.look_at_canvas([], EMPTY)
    assert fake_model.requests == []
    assert session.drawing.answer is None


def test_further_strokes_update_the_same_row(session):
    session.look_at_canvas(["a"], ONE)
    session.look_at_canvas(["a", "b"], TWO)
    [record] = _kept(session)
    assert (record.drawing, record.revision) == (TWO, 2)


def test_undo_shows_the_strokes_before_and_answers_them_anew(session):
    session.look_at_canvas(["a"], ONE)
    session.look_at_canvas(["a", "b"], TWO)
    session.undo()
    assert session.canvas_start["objects"] == ["a"]
    session.look_at_canvas(["a", "b"], TWO)  # the canvas has not redrawn itself yet
    assert session.drawing.revision == 2
    session.look_at_canvas(["a"], ONE)
    [record] = _kept(session)
    assert (record.drawing, record.revision) == (ONE, 3)


def test_undoing_the_last_stroke_leaves_no_answer_and_the_same_drawing(session):
    session.look_at_canvas(["a"], ONE)
    drawing_id = session.drawing.id
    session.undo()
    session.look_at_canvas([], EMPTY)
    assert session.drawing.answer is None
    session.look_at_canvas(["b"], TWO)
    assert session.drawing.id == drawing_id
    assert session.drawing.revision == 2


def test_undo_on_an_empty_canvas_changes_nothing(session):
    before = session.canvas_start
    session.undo()
    assert session.canvas_start is before


def test_clear_starts_anew_and_keeps_the_row(session):
    session.look_at_canvas(["a"], ONE)
    first = session.drawing.id
    session.clear()
    session.look_at_canvas(["a"], ONE)  # the canvas has not redrawn itself yet
    assert session.drawing.answer is None
    session.look_at_canvas([], EMPTY)
    session.look_at_canvas(["b"], TWO)
    assert session.drawing.id != first
    assert {record.id for record in _kept(session)} == {first, session.drawing.id}


def test_two_clears_in_a_row_both_redraw_the_canvas(session):
    session.look_at_canvas(["a"], ONE)
    session.clear()
    first = session.canvas_start
    session.look_at_canvas([], EMPTY)
    session.look_at_canvas(["a"], ONE)
    session.clear()
    assert session.canvas_start != first


def test_a_label_is_kept_and_closes_the_drawing(session):
    session.look_at_canvas(["a"], ONE)
    session.label(1)
    [record] = _kept(session)
    assert (record.true_label, record.revision) == (1, 2)
    assert record.labelled_at is not None
    assert session.canvas_start["objects"] == []
    session.look_at_canvas([], EMPTY)
    assert session.drawing.answer.digit == 7  # still to be seen


def test_another_stroke_after_a_label_is_another_drawing(session):
    session.look_at_canvas(["a"], ONE)
    session.label(1)
    labelled = session.drawing.id
    session.look_at_canvas([], EMPTY)
    session.look_at_canvas(["b"], TWO)
    assert session.drawing.id != labelled
    assert session.drawing.true_label is None
    labels = {record.id: record.true_label for record in _kept(session)}
    assert labels == {labelled: 1, session.drawing.id: None}


def test_a_label_can_be_corrected_at_once(session):
    session.look_at_canvas(["a"], ONE)
    session.label(1)
    session.label(2)
    [record] = _kept(session)
    assert (record.true_label, record.revision) == (2, 3)


def test_a_label_without_an_answer_is_ignored(session):
    session.label(1)
    assert _kept(session) == []


def test_an_upload_is_a_drawing_of_its_own(session):
    session.look_at_canvas(["a"], ONE)
    session.look_at_upload(b"a file")
    assert [record.drawing for record in _kept(session)] == [ONE, b"a file"]
    assert session.canvas_start["objects"] == []


def test_a_file_that_is_no_picture_is_told_so(session):
    session.refuse_upload("This file is no picture.")
    assert session.notice == "This file is no picture."


def test_what_is_no_digit_is_said_and_still_guessed(session, fake_model):
    fake_model.content = ANSWER | {"is_digit": False, "digit_score": 0.1}
    session.look_at_canvas(["a"], ONE)
    assert session.notice == NOT_A_DIGIT
    assert session.drawing.answer.digit == 7
    fake_model.content = ANSWER
    session.look_at_canvas(["a", "b"], TWO)
    assert session.notice == ""


def test_with_the_model_away_the_drawing_waits_and_is_read_later(session, fake_model):
    fake_model.status = 503
    session.look_at_canvas(["a"], ONE)
    assert session.notice == AWAY
    assert session.drawing.answer is None
    assert session.can_retry
    assert _kept(session) == []
    fake_model.status = 200
    session.retry()
    assert session.notice == ""
    assert not session.can_retry
    assert [record.drawing for record in _kept(session)] == [ONE]


class _FullDisk:
    def put(self, record):
        raise sqlite3.OperationalError("database or disk is full")


def test_an_answer_that_cannot_be_kept_is_not_shown(client):
    session = Session(client, _FullDisk())
    session.look_at_canvas(["a"], ONE)
    assert session.drawing.answer is None
    assert session.notice == NOT_KEPT
    assert session.can_retry


def test_a_label_that_cannot_be_kept_is_not_shown(session, outbox):
    session.look_at_canvas(["a"], ONE)
    session.outbox = _FullDisk()
    session.label(1)
    assert session.drawing.true_label is None
    assert session.notice == LABEL_NOT_KEPT


def test_an_explanation_needs_a_drawing_and_a_model(session, fake_model):
    assert session.explain() is None
    session.look_at_canvas(["a"], ONE)
    fake_model.content = ANSWER | {"heatmap": [[0.5]], "runner_up": 1, "contrast": [[0.1]]}
    assert session.explain().runner_up == 1
    fake_model.status = 503
    assert session.explain() is None
    assert session.notice == AWAY
