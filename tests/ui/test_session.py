"""What happens on the page: strokes, undo, clear, labels, uploads, and the order in which things are kept."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.ui.conftest import ANSWER
from ui.model_client import AWAY, ModelError
from ui.outbox import NotKept
from ui.session import LABEL_NOT_KEPT, NOT_A_DIGIT, NOT_KEPT, TOO_LARGE, TOO_MANY, Session

ONE, TWO, EMPTY = b"one stroke", b"two strokes", b"no stroke"


@pytest.fixture
def session(client, outbox):
    return Session(client, outbox)


def _kept(session):
    return session.outbox.oldest(100)


def _show(session, strokes, picture):
    """What the canvas sends: strokes on what it was last told to show."""
    session.look_at_canvas(session.canvas_start.mark, strokes, picture)


def test_a_stroke_is_answered_and_kept(session):
    _show(session, ["a"], ONE)
    assert session.drawing.answer.digit == 7
    [record] = _kept(session)
    assert (record.drawing, record.revision, record.true_label) == (ONE, 1, None)


def test_the_drawing_s_id_is_what_the_model_is_told(session, fake_model):
    _show(session, ["a"], ONE)
    [(_, headers, _)] = fake_model.requests
    assert headers["X-Drawing-Id"] == str(session.drawing.id) == str(_kept(session)[0].id)


def test_a_rerun_with_the_same_picture_asks_and_keeps_nothing_new(session, fake_model):
    for _ in range(3):
        _show(session, ["a"], ONE)
    assert len(fake_model.requests) == 1
    assert session.drawing.revision == 1


def test_an_untouched_canvas_is_no_drawing(session, fake_model):
    _show(session, [], None)
    _show(session, [], EMPTY)
    assert fake_model.requests == []
    assert session.drawing.answer is None


def test_a_drawing_is_as_old_as_its_first_answer_not_as_the_page(session):
    opened = datetime.now(UTC)
    time.sleep(0.05)
    _show(session, ["a"], ONE)
    first = _kept(session)[0].created_at
    assert first - opened >= timedelta(seconds=0.05)
    _show(session, ["a", "b"], TWO)
    assert _kept(session)[0].created_at == first


def test_further_strokes_update_the_same_row(session):
    _show(session, ["a"], ONE)
    _show(session, ["a", "b"], TWO)
    [record] = _kept(session)
    assert (record.drawing, record.revision) == (TWO, 2)


def test_undo_shows_the_strokes_before_and_answers_them_anew(session):
    before = session.canvas_start
    _show(session, ["a"], ONE)
    _show(session, ["a", "b"], TWO)
    session.undo()
    assert session.canvas_start.strokes == ("a",)
    session.look_at_canvas(before.mark, ["a", "b"], TWO)  # the canvas has not redrawn itself yet
    assert session.drawing.revision == 2
    _show(session, ["a"], ONE)
    [record] = _kept(session)
    assert (record.drawing, record.revision) == (ONE, 3)


def test_undo_twice_in_a_hurry_takes_two_strokes(session):
    _show(session, ["a", "b", "c"], TWO)
    session.undo()
    session.undo()  # before the canvas has shown the first
    assert session.canvas_start.strokes == ("a",)


def test_undoing_the_last_stroke_leaves_no_answer_and_the_same_drawing(session):
    _show(session, ["a"], ONE)
    drawing_id = session.drawing.id
    session.undo()
    _show(session, [], EMPTY)
    assert session.drawing.answer is None
    _show(session, ["b"], TWO)
    assert session.drawing.id == drawing_id
    assert session.drawing.revision == 2


def test_undo_on_an_empty_canvas_changes_nothing(session):
    before = session.canvas_start
    session.undo()
    assert session.canvas_start is before


def test_clear_starts_anew_and_keeps_the_row(session):
    before = session.canvas_start
    _show(session, ["a"], ONE)
    first = session.drawing.id
    session.clear()
    session.look_at_canvas(before.mark, ["a"], ONE)  # the canvas has not redrawn itself yet
    session.look_at_canvas(before.mark, ["a", "b"], TWO)  # and this stroke was on its way
    assert session.drawing.answer is None
    _show(session, [], EMPTY)
    _show(session, ["a"], ONE)  # the very same strokes again
    assert session.drawing.id != first
    assert {record.id for record in _kept(session)} == {first, session.drawing.id}


def test_two_clears_in_a_row_both_redraw_the_canvas(session):
    _show(session, ["a"], ONE)
    session.clear()
    first = session.canvas_start
    _show(session, [], EMPTY)
    _show(session, ["a"], ONE)
    session.clear()
    assert session.canvas_start != first


def test_a_label_is_kept_and_closes_the_drawing(session):
    _show(session, ["a"], ONE)
    session.label(1)
    [record] = _kept(session)
    assert (record.true_label, record.revision) == (1, 2)
    assert record.labelled_at is not None
    assert session.canvas_start.strokes == ()
    _show(session, [], EMPTY)
    assert session.drawing.answer.digit == 7  # still to be seen


def test_another_stroke_after_a_label_is_another_drawing(session):
    _show(session, ["a"], ONE)
    session.label(1)
    labelled = session.drawing.id
    _show(session, [], EMPTY)
    _show(session, ["b"], TWO)
    assert session.drawing.id != labelled
    assert session.drawing.true_label is None
    labels = {record.id: record.true_label for record in _kept(session)}
    assert labels == {labelled: 1, session.drawing.id: None}


def test_a_label_can_be_corrected_at_once(session):
    _show(session, ["a"], ONE)
    session.label(1)
    session.label(2)
    [record] = _kept(session)
    assert (record.true_label, record.revision) == (2, 3)


def test_a_label_that_is_said_again_leaves_the_next_drawing_s_canvas_alone(session):
    _show(session, ["a"], ONE)
    session.label(1)
    next_canvas = session.canvas_start
    session.label(1)
    session.look_at_canvas(next_canvas.mark, ["b"], TWO)  # begun before the second click arrived
    assert session.drawing.id == next_canvas.drawing_id
    assert session.drawing.picture == TWO
    assert len(_kept(session)) == 2


def test_a_label_without_an_answer_is_ignored(session):
    session.label(1)
    assert _kept(session) == []


def test_an_upload_is_a_drawing_of_its_own(session):
    _show(session, ["a"], ONE)
    session.look_at_upload(b"a file")
    assert [record.drawing for record in _kept(session)] == [ONE, b"a file"]
    assert session.canvas_start.strokes == ()
    _show(session, [], EMPTY)  # the canvas has emptied itself
    assert session.drawing.answer.digit == 7
    _show(session, ["b"], TWO)
    assert [record.drawing for record in _kept(session)] == [ONE, b"a file", TWO]


def test_an_upload_is_labelled_like_a_drawing(session):
    session.look_at_upload(b"a file")
    session.label(3)
    [record] = _kept(session)
    assert (record.true_label, record.drawing) == (3, b"a file")


def test_an_upload_that_could_not_be_read_is_read_later(session, fake_model):
    fake_model.status = 503
    session.look_at_upload(b"a file")
    assert session.notice == AWAY
    fake_model.status = 200
    session.retry()
    _show(session, ["a"], ONE)
    assert [record.drawing for record in _kept(session)] == [b"a file", ONE]


def _same_visitor(session):
    return Session(session.model, session.outbox, session.visitor)


def _restarted(session, strokes):
    """The session that a restarted page makes, after the browser has sent what it shows."""
    restarted = _same_visitor(session)
    restarted.look_at_canvas(session.canvas_start.mark, strokes, TWO)
    return restarted


def test_a_restarted_page_goes_on_with_the_drawing_that_the_browser_shows(session):
    _show(session, ["a"], ONE)
    restarted = _restarted(session, ["a", "b"])  # the second stroke was drawn while the page was away
    assert restarted.canvas_start.strokes == ("a", "b")
    _show(restarted, ["a", "b"], TWO)
    [record] = _kept(session)
    assert record.id == session.drawing.id
    assert (record.drawing, record.revision) == (TWO, 3)


def test_a_restarted_page_that_is_told_the_canvass_start_does_not_redraw_it(session):
    _show(session, ["a"], ONE)
    mark = session.canvas_start.mark
    restarted = _same_visitor(session)
    restarted.go_on_from(mark)
    assert restarted.canvas_start.mark == mark
    restarted.look_at_canvas(mark, ["a", "b"], TWO)
    assert restarted.canvas_start.mark == mark
    [record] = _kept(session)
    assert (record.id, record.drawing, record.revision) == (session.drawing.id, TWO, 3)


def test_a_stroke_that_comes_after_the_restarted_pages_first_look_is_answered(session):
    mark = session.canvas_start.mark
    restarted = _same_visitor(session)
    restarted.go_on_from(mark)
    restarted.look_at_canvas(mark, [], b"paper")
    restarted.look_at_canvas(mark, ["a"], ONE)
    assert restarted.drawing.answer.digit == 7
    assert restarted.canvas_start.mark == mark


def test_a_start_with_strokes_and_an_old_session_are_not_gone_on_from(session):
    _show(session, ["a"], ONE)
    own = session.canvas_start
    for mark in ("x", "1/2/3", f"{own.drawing_id}/1/2/17"):
        new = _same_visitor(session)
        before = new.canvas_start
        new.go_on_from(mark)
        assert new.canvas_start == before
    session.go_on_from(Session(session.model, session.outbox).canvas_start.mark)
    assert session.canvas_start == own


def test_a_restarted_page_knows_the_revision_after_undo_and_more_strokes(session):
    for count, picture in enumerate((ONE, TWO, b"three"), 1):
        _show(session, ["a", "b", "c"][:count], picture)
    session.undo()
    _show(session, ["a", "b"], TWO)
    _show(session, ["a", "b", "d"], b"another third")
    restarted = _restarted(session, ["a", "b", "d"])
    _show(restarted, ["a", "b", "d"], b"as the browser paints it")
    [record] = _kept(session)
    assert record.drawing == b"as the browser paints it"
    assert record.revision > session.drawing.revision


def test_a_blank_canvas_goes_on_as_the_same_drawing_however_often_the_page_restarts(session):
    mark = session.canvas_start.mark
    for count, picture in enumerate((ONE, TWO), 1):
        restarted = _same_visitor(session)
        restarted.go_on_from(mark)
        restarted.look_at_canvas(mark, ["a", "b"][:count], picture)
        assert restarted.canvas_start.mark == mark
    [record] = _kept(session)
    assert (record.drawing, record.revision) == (TWO, 3)
    assert restarted.drawn() == [record.id]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("delivered", [True, False])
def test_who_knows_the_id_of_another_s_drawing_cannot_change_it(session, told, labelled, delivered):
    _show(session, ["a"], ONE)
    if labelled:
        session.label(1)
    mine = _kept(session)
    if delivered:
        session.outbox.delivered(mine)
    mark = f"{session.drawing.id}/40/0/17"
    other = Session(session.model, session.outbox)
    if told:
        other.go_on_from(mark)
    other.look_at_canvas(mark, ["x"], TWO)
    _show(other, ["x"], TWO)
    other.label(9)
    theirs = [record for record in _kept(session) if record.id == other.drawing.id]
    assert [(record.drawing, record.true_label) for record in theirs] == [(TWO, 9)]
    assert other.drawing.id != session.drawing.id
    assert [record for record in _kept(session) if record not in theirs] == ([] if delivered else mine)
    assert other.drawn() == [other.drawing.id]
    assert session.drawn() == [session.drawing.id]


def test_a_drawing_that_the_outbox_has_forgotten_is_taken_by_nobody(session, monkeypatch):
    _show(session, ["a"], ONE)
    session.outbox.delivered(_kept(session))
    monkeypatch.setattr("ui.outbox.DRAWN_KEPT_S", -1.0)
    other = Session(session.model, session.outbox)
    _show(other, ["b"], TWO)
    other = Session(session.model, session.outbox)
    other.go_on_from(f"{session.drawing.id}/1/0/17")
    assert other.drawing.id != session.drawing.id
    other.look_at_canvas(other.canvas_start.mark, ["x"], TWO)
    assert session.drawing.id not in other.drawn()


@pytest.mark.parametrize("told", [True, False])
def test_a_restarted_page_does_not_undo_a_label(session, told):
    _show(session, ["a", "b"], TWO)
    mark = session.canvas_start.mark
    session.label(1)
    restarted = _same_visitor(session)
    if told:
        restarted.go_on_from(mark)
    restarted.look_at_canvas(mark, ["a", "b"], TWO)  # the browser had not emptied its canvas yet
    _show(restarted, ["a", "b"], TWO)
    [record] = _kept(session)
    assert record.true_label == 1


@pytest.mark.parametrize("mark", [None, "", "x", "1/2/3/4", 17, "a/b/c/d/e"])
def test_a_mark_that_is_not_ours_is_no_drawing(session, mark):
    session.look_at_canvas(mark, ["a"], ONE)
    assert session.drawing.answer is None
    _show(session, ["a"], ONE)
    assert session.drawing.answer.digit == 7


def test_another_theme_repaints_the_strokes_and_the_drawing_goes_on(session):
    _show(session, [{"stroke": "black", "path": "a"}], ONE)
    drawing_id = session.drawing.id
    session.repaint("dark", "white")
    assert session.canvas_start.strokes == ({"stroke": "white", "path": "a"},)
    _show(session, list(session.canvas_start.strokes), TWO)
    [record] = _kept(session)
    assert (record.id, record.drawing, record.revision) == (drawing_id, TWO, 2)


def test_another_theme_leaves_a_labelled_drawing_alone(session):
    _show(session, [{"stroke": "black"}], ONE)
    session.label(3)
    session.repaint("dark", "white")
    _show(session, [], EMPTY)
    assert session.drawing.true_label == 3


def test_a_file_that_is_no_picture_is_told_so(session):
    session.refuse_upload("This file is no picture.")
    assert session.notice == "This file is no picture."


def test_what_is_no_digit_is_said_and_still_guessed(session, fake_model):
    fake_model.content = ANSWER | {"is_digit": False, "digit_score": 0.1}
    _show(session, ["a"], ONE)
    assert session.notice == NOT_A_DIGIT
    assert session.drawing.answer.digit == 7
    fake_model.content = ANSWER
    _show(session, ["a", "b"], TWO)
    assert session.notice == ""


def test_with_the_model_away_the_drawing_waits_and_is_read_later(session, fake_model):
    fake_model.status = 503
    _show(session, ["a"], ONE)
    assert session.notice == AWAY
    assert session.drawing.answer is None
    assert session.can_retry
    assert _kept(session) == []
    fake_model.status = 200
    session.retry()
    assert session.notice == ""
    assert not session.can_retry
    assert [record.drawing for record in _kept(session)] == [ONE]


def test_a_drawing_that_waits_is_tried_again_by_itself_after_a_pause(session, fake_model, monkeypatch):
    fake_model.status = 503
    _show(session, ["a"], ONE)
    fake_model.status = 200
    session.retry_when_due()
    assert len(fake_model.requests) == 1
    monkeypatch.setattr("ui.session.RETRY_PAUSE_S", 0.0)
    session.retry_when_due()
    assert session.drawing.answer.digit == 7
    session.retry_when_due()
    assert len(fake_model.requests) == 2


def test_a_label_clicked_with_a_stroke_that_the_model_cannot_read_just_then_is_kept_with_its_answer(
    session, fake_model
):
    _show(session, ["a"], ONE)
    fake_model.status = 503
    _show(session, ["a", "b"], TWO)
    session.label(4)
    assert not session.drawing.closed
    fake_model.status = 200
    session.retry()
    assert session.drawing.closed
    [record] = _kept(session)
    assert (record.drawing, record.true_label, record.revision) == (TWO, 4, 3)


@pytest.mark.parametrize(
    "leave", [Session.clear, lambda session: session.look_at_upload(TWO)], ids=["clear", "upload"]
)
def test_such_a_label_is_for_no_other_drawing(session, fake_model, leave):
    fake_model.status = 503
    _show(session, ["a"], ONE)
    session.label(4)
    fake_model.status = 200
    leave(session)
    _show(session, ["c"], ONE)
    assert [record.true_label for record in _kept(session)] == [None] * len(_kept(session))


def test_a_picture_that_the_model_refuses_is_not_tried_again(session, fake_model):
    fake_model.status, fake_model.content = 400, {"code": 400, "type": "BrokenImage", "message": "broken"}
    _show(session, ["a"], ONE)
    assert "broken" in session.notice
    assert not session.can_retry


def test_the_database_is_away_when_a_record_has_been_waiting_for_long(session, monkeypatch):
    assert not session.database_is_away
    _show(session, ["a"], ONE)
    assert not session.database_is_away
    monkeypatch.setattr("ui.session.LATE_AFTER_S", 0.0)
    assert session.database_is_away
    session.outbox.delivered(_kept(session))
    assert not session.database_is_away


class _FullDisk:
    def put(self, record):
        raise NotKept

    def owner(self, drawing_id):
        raise NotKept

    def relabelled(self, drawing_id):
        return None


def test_an_answer_that_cannot_be_kept_is_not_shown(client, outbox):
    session = Session(client, _FullDisk())
    _show(session, ["a"], ONE)
    assert session.drawing.answer is None
    assert session.notice == NOT_KEPT
    session.outbox = outbox  # there is room again
    session.retry()
    assert session.drawing.answer.digit == 7
    assert session.notice == ""


def test_a_label_that_cannot_be_kept_is_not_shown(session, outbox):
    _show(session, ["a"], ONE)
    session.outbox = _FullDisk()
    session.label(1)
    assert session.drawing.true_label is None
    assert session.notice == LABEL_NOT_KEPT


def test_above_the_limit_of_an_address_nothing_is_stored_or_shown_and_the_drawing_waits(
    client, outbox, fake_model
):
    left = [0]
    session = Session(client, outbox, may_keep=lambda answers: answers <= left[0])
    _show(session, ["a"], ONE)
    assert "600 strokes a minute" in session.notice
    assert session.drawing.answer is None
    assert _kept(session) == []
    left[0] = 1
    fake_model.status = 503
    session.retry()
    assert session.notice == AWAY
    fake_model.status = 200
    session.retry()
    assert (session.notice, session.drawing.answer.digit) == ("", 7)
    session.look_at_upload(bytes(20_000))  # counts as three
    assert session.notice == TOO_MANY
    left[0] = 3
    session.retry()
    assert len(_kept(session)) == 2


def test_a_canvas_larger_than_any_drawing_is_not_stored(session, fake_model):
    _show(session, ["a"], bytes(100_001))
    assert session.notice == TOO_LARGE
    assert not session.can_retry
    assert fake_model.requests == _kept(session) == []
    _show(session, ["a"], bytes(100_000))
    assert session.drawing.answer.digit == 7


EXPLANATION = ANSWER | {"heatmap": [[0.5]], "runner_up": 1, "contrast": [[0.1]]}


def test_an_explanation_is_asked_for_once_a_picture(session, fake_model):
    assert session.explain() is None
    _show(session, ["a"], ONE)
    fake_model.content = EXPLANATION
    assert session.explain().runner_up == 1
    session.label(1)
    assert session.explain().runner_up == 1  # of the labelled drawing, still
    assert [path for path, *_ in fake_model.requests].count("/explanations/mnist") == 1
    _show(session, [], EMPTY)
    _show(session, ["b"], TWO)
    session.explain()
    assert [path for path, *_ in fake_model.requests].count("/explanations/mnist") == 2


def test_an_explanation_that_fails_is_said_and_not_asked_for_at_every_turn(session, fake_model):
    _show(session, ["a"], ONE)
    fake_model.status = 503
    for _ in range(3):
        with pytest.raises(ModelError, match="Model server unavailable"):
            session.explain()
    assert len(fake_model.requests) == 2
    fake_model.status, fake_model.content = 200, EXPLANATION
    session.forget_explanation()  # switched off and on again
    assert session.explain().runner_up == 1


def test_what_a_visitor_drew_is_known_after_a_reload_and_to_nobody_else(session):
    drawn = []
    for number in range(2):
        _show(session, ["a"], ONE + bytes([number]))
        _show(session, ["a", "b"], TWO + bytes([number]))
        drawn.insert(0, session.drawing.id)
        session.clear()
    assert session.drawn() == drawn
    assert Session(session.model, session.outbox, session.visitor).drawn() == drawn
    assert Session(session.model, session.outbox).drawn() == []


def test_coming_back_the_canvas_shows_its_strokes_and_nothing_is_asked_again(session, fake_model):
    _show(session, ["a"], ONE)
    before = session.canvas_start
    session.show_again()
    assert session.canvas_start != before
    assert session.canvas_start.strokes == ("a",)
    _show(session, ["a"], ONE)
    assert len(fake_model.requests) == 1
    _show(session, ["a", "b"], TWO)
    assert session.drawing.revision == 2
    session.undo()
    assert session.canvas_start.strokes == ("a",)


def test_a_label_given_elsewhere_closes_the_drawing_at_hand(session, outbox):
    _show(session, ["a"], ONE)
    labelled = outbox.label(session.drawing.id, 1, lambda: None)
    _show(session, ["a", "b"], TWO)
    assert session.canvas_start.drawing_id != labelled.id
    _show(session, ["a", "b"], TWO)  # drawn again, as what it is: another drawing
    assert session.drawing.id != labelled.id
    assert [(record.true_label, record.revision) for record in _kept(session)] == [(1, 2), (None, 1)]


def test_a_label_here_comes_after_one_given_elsewhere(session, outbox):
    _show(session, ["a"], ONE)
    outbox.label(session.drawing.id, 1, lambda: None)
    session.label(7)
    [record] = _kept(session)
    assert (record.true_label, record.revision) == (7, 3)
