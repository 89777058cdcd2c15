"""The session: strokes, Undo, Clear, labels and uploads, and the order in which they are stored."""

import io
import time
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from tests.ui.conftest import ANSWER, Canvas
from ui.model_client import UNAVAILABLE, ModelError
from ui.outbox_file import OutboxError
from ui.session import (
    FILE_WAITS,
    LABEL_OF_PREVIOUS,
    LABEL_TOO_LATE,
    LABEL_WAITS,
    NO_DIGIT,
    NOT_A_DIGIT,
    NOT_SAVED,
    TOO_LARGE,
    TOO_MANY,
    Session,
)

ONE, TWO = b"one stroke", b"two strokes"


def _stripes():
    """White on the left and black on the right."""
    picture, file = Image.new("L", (200, 200), 255), io.BytesIO()
    picture.paste(0, (80, 0, 200, 200))
    picture.save(file, "PNG")
    return file.getvalue()


STRIPES = _stripes()


@pytest.fixture
def session(client, outbox):
    return Session(client, outbox)


@pytest.fixture
def canvas(session):
    return Canvas(session)


def _records(session):
    return session.outbox.oldest(100)


def test_a_stroke_is_answered_and_stored(session, canvas):
    canvas.show(ONE)
    assert session.drawing.answer.digit == 7
    [record] = _records(session)
    assert (record.drawing, record.revision, record.true_label) == (ONE, 1, None)


def test_the_request_to_the_model_has_the_drawings_id(session, canvas, fake_model):
    canvas.show(ONE)
    [(_, headers, _)] = fake_model.requests
    assert headers["X-Drawing-Id"] == str(session.drawing.id) == str(_records(session)[0].id)


def test_repeated_acts_are_ignored(session, canvas, fake_model):
    canvas.show(ONE)
    for _ in range(3):
        canvas.send()
    assert len(fake_model.requests) == 1
    assert session.drawing.revision == 1


def test_an_untouched_canvas_is_no_drawing(session, fake_model):
    assert not session.take([])
    assert fake_model.requests == []
    assert session.drawing.answer is None
    assert session.shown == ""


@pytest.mark.parametrize("sent", [None, 17, [{"number": 1, "label": 12}], [{"number": 1, "picture": "x"}]])
def test_an_invalid_message_changes_nothing(session, canvas, sent, caplog):
    canvas.show(ONE)
    before = session.drawing
    assert not session.take(sent)
    assert session.drawing == before
    assert "dropped" in caplog.text


def test_a_drawing_has_the_time_of_its_first_answer(session, canvas):
    opened = datetime.now(UTC)
    time.sleep(0.05)
    canvas.show(ONE)
    first = _records(session)[0].created_at
    assert first - opened >= timedelta(seconds=0.05)
    canvas.show(TWO)
    assert _records(session)[0].created_at == first


def test_further_strokes_update_the_same_row(session, canvas):
    canvas.show(ONE)
    canvas.show(TWO)
    [record] = _records(session)
    assert (record.drawing, record.revision) == (TWO, 2)


def test_undo_reads_the_previous_strokes_again(session, canvas):
    canvas.show(ONE)
    canvas.show(TWO)
    canvas.show(ONE)
    [record] = _records(session)
    assert (record.drawing, record.revision) == (ONE, 3)


def test_undo_of_the_last_stroke_removes_the_answer_and_keeps_the_drawing(session, canvas):
    canvas.show(ONE)
    drawing_id = session.drawing.id
    canvas.show(None)
    assert session.drawing.answer is None
    canvas.show(TWO)
    assert session.drawing.id == drawing_id
    [record] = _records(session)
    assert (record.drawing, record.revision) == (TWO, 3)


def test_clear_begins_a_drawing_and_keeps_the_row(session, canvas):
    canvas.show(ONE)
    first = session.drawing.id
    canvas.clear()
    assert session.drawing.answer is None
    canvas.show(ONE)  # the same strokes again
    assert session.drawing.id != first
    assert {record.id for record in _records(session)} == {first, session.drawing.id}


def test_delayed_acts_in_one_message_are_carried_out_in_their_order(session, canvas):
    canvas.session = None
    canvas.show(ONE)
    canvas.label(1)
    canvas.clear()
    canvas.show(ONE)
    canvas.show(TWO)
    canvas.label(2)
    canvas.show(ONE)
    canvas.session = session
    canvas.send()
    rows = [(row.drawing, row.true_label, row.revision) for row in _records(session)]
    assert rows == [(ONE, 1, 2), (TWO, 2, 3), (ONE, None, 1)]
    assert not session.drawing.closed
    assert canvas.acts == canvas.acts[-1:]  # the newest picture, for a restarted page


def test_a_label_is_stored_and_closes_the_drawing(session, canvas):
    canvas.show(ONE)
    canvas.label(1)
    [record] = _records(session)
    assert (record.true_label, record.revision) == (1, 2)
    assert record.labelled_at is not None
    assert session.drawing.answer.digit == 7  # still shown


def test_a_stroke_after_a_label_begins_another_drawing(session, canvas):
    canvas.show(ONE)
    canvas.label(1)
    labelled = session.drawing.id
    canvas.show(TWO)
    assert session.drawing.id != labelled
    assert session.drawing.true_label is None
    labels = {record.id: record.true_label for record in _records(session)}
    assert labels == {labelled: 1, session.drawing.id: None}


def test_a_label_can_be_corrected_at_once(session, canvas):
    canvas.show(ONE)
    canvas.label(1)
    canvas.label(2)
    [record] = _records(session)
    assert (record.true_label, record.revision) == (2, 3)


def test_a_label_of_history_ends_the_drawing_on_the_canvas(session, canvas):
    canvas.show(ONE)
    drawn = canvas.drawing
    canvas.send()
    assert canvas.drawing == drawn
    session.label(1)
    canvas.send()
    assert canvas.drawing != drawn
    canvas.show(TWO)
    begun = canvas.drawing
    canvas.send()
    assert canvas.drawing == begun
    assert [(row.drawing, row.true_label) for row in _records(session)] == [(ONE, 1), (TWO, None)]


def test_a_stroke_on_a_closed_drawing_begins_another_drawing(session, canvas):
    canvas.show(ONE)
    session.label(1)
    drawn = canvas.drawing
    canvas.show(TWO)  # before the browser knows of the label
    assert canvas.drawing == drawn  # the browser keeps the drawing
    assert [(row.drawing, row.true_label) for row in _records(session)] == [(ONE, 1), (TWO, None)]


def test_a_label_without_an_answer_is_ignored(session):
    session.label(1)
    assert _records(session) == []


def test_an_upload_is_a_drawing_of_its_own(session, canvas):
    canvas.show(ONE)
    drawn = canvas.drawing
    session.read_upload(b"a file")
    assert [record.drawing for record in _records(session)] == [ONE, b"a file"]
    canvas.send()  # the browser clears the canvas
    assert canvas.drawing != drawn
    assert session.drawing.answer.digit == 7
    canvas.show(TWO)
    assert [record.drawing for record in _records(session)] == [ONE, b"a file", TWO]


def test_a_stroke_during_an_upload_belongs_to_its_drawing(session, canvas):
    canvas.show(ONE)
    session.read_upload(b"a file")
    drawn = canvas.drawing
    canvas.show(TWO)
    assert canvas.drawing == drawn
    assert [(record.drawing, record.revision) for record in _records(session)] == [(TWO, 2), (b"a file", 1)]


def test_an_upload_is_labelled_like_a_drawing(session):
    session.read_upload(b"a file")
    session.label(3)
    [record] = _records(session)
    assert (record.true_label, record.drawing) == (3, b"a file")


def test_an_upload_is_read_when_the_model_is_available_again(session, canvas, fake_model):
    fake_model.status = 503
    session.read_upload(b"a file")
    assert session.notice == UNAVAILABLE
    fake_model.status = 200
    session.retry()
    canvas.show(ONE)
    assert [record.drawing for record in _records(session)] == [b"a file", ONE]


def test_one_upload_waits_for_the_acts_before_it(session, canvas, fake_model):
    fake_model.status = 503
    canvas.show(ONE)
    session.read_upload(b"a file")
    session.read_upload(b"another file")
    assert session.notice == FILE_WAITS
    canvas.label(3)
    canvas.clear()
    canvas.show(TWO)
    fake_model.status = 200
    session.retry()
    canvas.send()
    assert [(row.drawing, row.true_label) for row in _records(session)] == [
        (ONE, 3),
        (b"a file", None),
        (TWO, None),
    ]
    assert canvas.acts == canvas.acts[-1:]
    session.read_upload(b"another file")
    assert session.notice == ""


def _restart(session, canvas, rows=None):
    """A new session after a restart, which has received the browser's acts. `rows`: the database."""
    session.outbox._labelled.clear()
    find_row = (rows or {}).get
    canvas.session = Session(session.model, session.outbox, session.visitor, find_row=find_row)
    canvas.send()
    return canvas.session


class _Disconnected:
    """Inside this context the page is unreachable, and acts wait in the browser."""

    def __init__(self, canvas):
        self._canvas = canvas

    def __enter__(self):
        self._canvas.session = None

    def __exit__(self, *_):
        time.sleep(0.01)  # times of acts are in milliseconds


def _rows(session, delivered):
    """The rows of the database: all records if delivered, else none."""
    rows = {row.id: row for row in _records(session)} if delivered else {}
    session.outbox.remove(list(rows.values()))
    return rows


def _labels(session, rows):
    """Each picture's newest label, in the outbox or the database."""
    newest = {**rows, **{row.id: row for row in _records(session) if not _is_older(row, rows)}}
    return {row.drawing: row.true_label for row in newest.values()}


def _is_older(row, rows):
    return row.id in rows and row.revision <= rows[row.id].revision


def test_a_restarted_page_continues_the_drawing_of_the_browser(session, canvas):
    canvas.show(ONE)
    restarted = _restart(session, canvas)
    assert restarted.drawing.answer.digit == 7
    assert restarted.drawing.row.created_at == session.drawing.row.created_at
    canvas.show(TWO)
    [record] = _records(session)
    assert (record.id, record.drawing, record.revision) == (session.drawing.id, TWO, 2)


def test_a_restarted_page_stores_strokes_and_labels_of_the_outage(session, canvas):
    canvas.show(ONE)
    canvas.session = None
    canvas.show(TWO)
    canvas.label(3)
    canvas.show(b"another")
    restarted = _restart(session, canvas)
    rows = [(row.drawing, row.true_label, row.revision) for row in _records(session)]
    assert rows == [(TWO, 3, 3), (b"another", None, 1)]
    assert restarted.drawing_ids() == [row.id for row in reversed(_records(session))]


def test_a_label_without_confirmation_is_not_applied_twice(session, canvas):
    canvas.show(ONE)
    canvas.session = None
    canvas.label(3)
    session.take(canvas.message)
    session.outbox.label(session.drawing.id, 4, lambda: None)  # corrected in History
    _restart(session, canvas)
    [record] = _records(session)
    assert (record.true_label, record.revision) == (4, 3)


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("draw", [Canvas.show, lambda canvas, picture: canvas.session.read_upload(picture)])
def test_a_label_is_corrected_after_a_restart(session, canvas, draw, delivered):
    draw(canvas, ONE)
    canvas.send()
    canvas.label(1)
    rows = _rows(session, delivered)
    with _Disconnected(canvas):
        canvas.label(4)
        canvas.show(TWO)
    _restart(session, canvas, rows)
    assert _labels(session, rows) == {ONE: 4, TWO: None}


def test_a_label_of_a_drawing_in_an_unavailable_database_does_not_block_strokes(session, canvas):
    canvas.show(ONE)
    canvas.label(1)
    _rows(session, delivered=True)
    with _Disconnected(canvas):
        canvas.label(4)
    restarted = _restart(session, canvas)
    assert restarted.notice == LABEL_TOO_LATE
    canvas.show(TWO)
    assert restarted.drawing.answer.digit == 7


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("picture", [ONE, TWO])
def test_a_drawing_labelled_in_history_stays_closed_after_a_restart(session, canvas, picture, delivered):
    canvas.show(ONE)
    session.outbox.label(session.drawing.id, 4, lambda: None)
    rows = _rows(session, delivered)
    if picture == TWO:
        with _Disconnected(canvas):
            canvas.show(TWO)
    restarted = _restart(session, canvas, rows)
    assert restarted.drawing.true_label == (4 if picture == ONE else None)
    canvas.show(b"three")
    assert _labels(session, rows) == {ONE: 4, b"three": None}


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("with_picture", [True, False])
@pytest.mark.parametrize("newest", [1, 4])
def test_the_newer_label_counts_if_one_of_history_overtakes_a_delayed_one(
    session, canvas, newest, with_picture, delivered
):
    canvas.show(ONE)
    labels = [lambda: canvas.label(1), lambda: session.outbox.label(session.drawing.id, 4, lambda: None)]
    for label in labels if newest == 4 else reversed(labels):
        with _Disconnected(canvas):
            label()
    if not with_picture:
        canvas.acts = canvas.acts[-1:]  # as after a partial confirmation
    rows = _rows(session, delivered)
    restarted = _restart(session, canvas, rows)
    assert _labels(session, rows) == {ONE: newest}
    assert restarted.drawing.true_label == (newest if with_picture else None)
    restarted.outbox.label(session.drawing.id, 7, lambda: rows.get(session.drawing.id))
    assert _labels(session, rows) == {ONE: 7}


def test_a_labelled_drawing_stays_closed_if_a_restarted_page_has_no_model_at_first(
    session, canvas, fake_model
):
    canvas.show(ONE)
    session.outbox.label(session.drawing.id, 4, lambda: None)
    fake_model.status = 503
    restarted = _restart(session, canvas)
    fake_model.status = 200
    restarted.retry()
    assert restarted.drawing.true_label == 4
    restarted.label(7)
    assert [(row.drawing, row.true_label, row.revision) for row in _records(session)] == [(ONE, 7, 3)]


def test_only_a_restarted_page_asks_the_database(session, canvas, fake_model):
    session.find_row = None
    canvas.show(ONE)
    session.outbox.remove(_records(session))
    canvas.show(None)
    canvas.show(ONE)
    fake_model.status = 503
    canvas.show(TWO)
    fake_model.status = 200
    canvas.show(ONE)
    session.label(1)
    canvas.show(TWO)
    canvas.clear()
    canvas.show(ONE)
    assert session.drawing.answer.digit == 7


def test_a_restarted_page_knows_the_revision_after_undo_and_more_strokes(session, canvas):
    for picture in (ONE, TWO, b"three", TWO, b"another third"):
        canvas.show(picture)
    canvas.session = None
    canvas.show(b"a fourth")
    _restart(session, canvas)
    [record] = _records(session)
    assert (record.drawing, record.revision) == (b"a fourth", 6)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("delivered", [True, False])
def test_a_known_id_does_not_allow_changing_another_visitors_drawing(session, canvas, labelled, delivered):
    canvas.show(ONE)
    drawn = canvas.drawing
    if labelled:
        canvas.label(1)
    mine = _records(session)
    if delivered:
        session.outbox.remove(mine)
    for known in (drawn, session.drawing.id.hex):
        other = Session(session.model, session.outbox)
        others = Canvas(other)
        others.drawing, others._revision = known, 40
        others.show(TWO)
        drawn_by_other = other.drawing.id
        others.label(9)
        theirs = [record for record in _records(session) if record.id == drawn_by_other]
        assert [(record.drawing, record.true_label) for record in theirs] == [(TWO, 9)]
        assert drawn_by_other != session.drawing.id
        assert other.drawing_ids() == [drawn_by_other]
    rest = [record for record in _records(session) if record.visitor == session.owner]
    assert rest == ([] if delivered else mine)
    assert session.drawing_ids() == [session.drawing.id]


def test_a_restarted_page_does_not_undo_a_label(session, canvas):
    canvas.show(TWO)
    sent = canvas.message
    canvas.label(1)
    restarted = Session(session.model, session.outbox, session.visitor)
    restarted.take(sent)  # from a browser that does not know of the label
    [record] = _records(session)
    assert record.true_label == 1


@pytest.mark.parametrize(
    ("reason", "notice"), [*NO_DIGIT.items(), ("not_a_digit", NOT_A_DIGIT), ("another", NOT_A_DIGIT)]
)
def test_the_reason_of_a_rejected_digit_is_reported(session, canvas, fake_model, reason, notice):
    fake_model.content = ANSWER | {"is_digit": False, "reason": reason}
    canvas.show(ONE)
    assert (session.notice, session.drawing.answer.digit) == (notice, 7)
    fake_model.content = ANSWER
    canvas.show(TWO)
    assert session.notice == ""


def test_a_drawing_waits_while_the_model_is_unavailable(session, canvas, fake_model):
    fake_model.status = 503
    canvas.show(ONE)
    assert session.notice == UNAVAILABLE
    assert session.drawing.answer is None
    assert session.can_retry
    assert _records(session) == []
    fake_model.status = 200
    session.retry()
    assert session.notice == ""
    assert not session.can_retry
    assert [record.drawing for record in _records(session)] == [ONE]


def test_a_waiting_drawing_is_retried_after_a_pause(session, canvas, fake_model, monkeypatch):
    fake_model.status = 503
    canvas.show(ONE)
    fake_model.status = 200
    session.retry_after_pause()
    assert len(fake_model.requests) == 1
    monkeypatch.setattr("ui.session.RETRY_PAUSE_S", 0.0)
    session.retry_after_pause()
    assert session.drawing.answer.digit == 7
    session.retry_after_pause()
    assert len(fake_model.requests) == 2


def test_a_label_of_a_waiting_stroke_is_stored_with_its_answer(session, canvas, fake_model):
    canvas.show(ONE)
    fake_model.status = 503
    canvas.show(TWO)
    canvas.label(4)
    assert not session.drawing.closed
    fake_model.status = 200
    session.retry()
    assert session.drawing.closed
    [record] = _records(session)
    assert (record.drawing, record.true_label, record.revision) == (TWO, 4, 3)


@pytest.mark.parametrize(
    "leave",
    [lambda canvas: canvas.clear(), lambda canvas: canvas.session.read_upload(TWO)],
    ids=["clear", "upload"],
)
def test_a_label_of_a_waiting_stroke_applies_to_no_other_drawing(session, canvas, fake_model, leave):
    fake_model.status = 503
    canvas.show(ONE)
    canvas.label(4)
    fake_model.status = 200
    leave(canvas)
    canvas.show(b"another")
    labels = {record.drawing: record.true_label for record in _records(session)}
    assert labels.pop(ONE) == 4
    assert set(labels.values()) == {None}


def test_no_labelled_drawing_is_lost_while_the_model_is_unavailable(session, canvas, fake_model):
    canvas.show(ONE)
    fake_model.status = 503
    canvas.show(TWO)
    canvas.label(4)
    canvas.show(b"another")
    assert session.can_retry
    fake_model.status = 200
    session.retry()
    canvas.send()
    assert canvas.acts == canvas.acts[-1:]
    assert [(row.drawing, row.true_label) for row in _records(session)] == [(TWO, 4), (b"another", None)]


def test_a_refused_picture_is_not_retried(session, canvas, fake_model):
    fake_model.status, fake_model.content = 400, {"code": 400, "type": "BrokenImage", "message": "broken"}
    canvas.show(ONE)
    assert "broken" in session.notice
    assert not session.can_retry


def test_the_database_is_late_if_a_record_waits_for_long(session, canvas, monkeypatch):
    assert not session.is_database_late
    canvas.show(ONE)
    assert not session.is_database_late
    monkeypatch.setattr("ui.session.LATE_AFTER_S", 0.0)
    assert session.is_database_late
    session.outbox.remove(_records(session))
    assert not session.is_database_late


class _FullDisk:
    def put(self, record):
        raise OutboxError

    def drawing_ids(self, owner):
        raise OutboxError

    def find_labelled(self, drawing_id):
        return None


def test_an_answer_that_cannot_be_stored_is_not_shown(client, outbox):
    session = Session(client, _FullDisk())
    Canvas(session).show(ONE)
    assert session.drawing.answer is None
    assert session.notice == NOT_SAVED
    session.outbox = outbox  # the disk has space again
    session.retry()
    assert session.drawing.answer.digit == 7
    assert session.notice == ""


def test_a_label_that_cannot_be_stored_is_not_shown(session, canvas, outbox):
    canvas.show(ONE)
    session.outbox = _FullDisk()
    canvas.label(1)
    assert session.drawing.true_label is None
    assert session.notice == LABEL_WAITS
    session.outbox = outbox  # the disk has space again
    session.retry()
    assert session.drawing.true_label == 1
    assert session.notice == ""


def test_a_label_of_the_drawing_before_an_upload_does_not_apply_to_the_upload(session, canvas):
    canvas.show(ONE)
    session.read_upload(TWO)
    canvas.label(1)
    assert session.drawing.true_label is None
    assert session.notice == LABEL_OF_PREVIOUS
    assert [(row.drawing, row.true_label) for row in _records(session)] == [(ONE, 1), (TWO, None)]


def test_a_label_of_a_refused_drawing_is_refused(session, canvas, fake_model):
    fake_model.status, fake_model.content = 400, {"message": "broken"}
    canvas.show(ONE)
    fake_model.status, fake_model.content = 200, ANSWER
    session.read_upload(TWO)
    canvas.label(1)
    assert session.notice == LABEL_TOO_LATE
    assert [(row.drawing, row.true_label) for row in _records(session)] == [(TWO, None)]


def test_a_drawing_above_the_limit_of_an_address_waits(client, outbox, fake_model):
    left = [0]
    session = Session(client, outbox, may_store=lambda answers: answers <= left[0])
    Canvas(session).show(ONE)
    assert "600 strokes a minute" in session.notice
    assert session.drawing.answer is None
    assert fake_model.requests == []
    assert _records(session) == []
    left[0] = 1
    fake_model.status = 503
    session.retry()
    assert session.notice == UNAVAILABLE
    fake_model.status = 200
    session.retry()
    assert (session.notice, session.drawing.answer.digit) == ("", 7)
    session.read_upload(bytes(20_000))  # counts three times
    assert session.notice == TOO_MANY
    left[0] = 3
    session.retry()
    assert len(_records(session)) == 2


def test_a_message_of_many_pictures_stays_within_the_limit_of_the_address(client, outbox, fake_model):
    left = iter([True] * 3)
    session = Session(client, outbox, may_store=lambda answers: next(left, False))
    canvas = Canvas()
    for number in range(50):
        canvas.show(ONE + bytes([number]))
        canvas.label(1)
    canvas.session = session
    canvas.send()
    session.retry()
    assert session.notice == TOO_MANY
    assert len(fake_model.requests) == 3


@pytest.mark.parametrize(
    "content", [b"not JSON", [], {}, ANSWER | {"input": 17}, ANSWER | {"confidence": "0.9"}]
)
def test_a_malformed_answer_does_not_block_acts(session, canvas, fake_model, content):
    fake_model.content = content
    canvas.show(ONE)
    assert "page and model versions do not match" in session.notice
    assert session.drawing.answer is None
    assert not session.can_retry
    canvas.clear()
    fake_model.content = ANSWER
    canvas.show(TWO)
    assert (session.notice, session.drawing.answer.digit) == ("", 7)


def test_a_too_large_picture_is_not_stored(session, canvas, fake_model):
    canvas.show(bytes(100_001))
    assert session.notice == TOO_LARGE
    assert not session.can_retry
    assert fake_model.requests == _records(session) == []
    canvas.show(bytes(100_000))
    assert session.drawing.answer.digit == 7


EXPLANATION = ANSWER | {"heatmap": [[0.5] * 28] * 28, "runner_up": 1, "contrast": [[0.1] * 28] * 28}


def test_an_explanation_is_requested_once_for_each_picture(session, canvas, fake_model):
    assert session.explain() is None
    canvas.show(ONE)
    fake_model.content = EXPLANATION
    assert session.explain().runner_up == 1
    session.label(1)
    assert session.explain().runner_up == 1  # also after the label
    assert [path for path, *_ in fake_model.requests].count("/explanations/mnist") == 1
    canvas.show(TWO)
    session.explain()
    assert [path for path, *_ in fake_model.requests].count("/explanations/mnist") == 2


def test_a_failed_explanation_is_reported_and_not_requested_again(session, canvas, fake_model):
    canvas.show(ONE)
    fake_model.status = 503
    for _ in range(3):
        with pytest.raises(ModelError, match="Model server unavailable"):
            session.explain()
    assert len(fake_model.requests) == 2
    fake_model.status, fake_model.content = 200, EXPLANATION
    session.forget_explanation()  # the toggle is switched off and on
    assert session.explain().runner_up == 1


def test_a_reload_finds_the_visitors_own_drawings_only(session, canvas):
    drawn = []
    for number in range(2):
        canvas.show(ONE + bytes([number]))
        canvas.show(TWO + bytes([number]))
        drawn.insert(0, session.drawing.id)
        canvas.clear()
    assert session.drawing_ids() == drawn
    assert Session(session.model, session.outbox, session.visitor).drawing_ids() == drawn
    assert Session(session.model, session.outbox).drawing_ids() == []


def test_a_label_of_another_page_closes_the_current_drawing(session, canvas, outbox):
    canvas.show(ONE)
    labelled = outbox.label(session.drawing.id, 1, lambda: None)
    canvas.show(TWO)  # begins another drawing
    assert session.drawing.id != labelled.id
    canvas.show(b"three")
    rows = [(record.drawing, record.true_label) for record in _records(session)]
    assert rows == [(ONE, 1), (b"three", None)]


def test_a_label_of_history_is_loaded_on_return(session, canvas, outbox):
    canvas.show(ONE)
    outbox.label(session.drawing.id, 1, lambda: None)
    session.load_label()
    assert session.drawing.true_label == 1
    drawn = canvas.drawing
    canvas.send()
    assert canvas.drawing != drawn


def test_a_label_replaces_an_earlier_label_of_history(session, canvas, outbox):
    canvas.show(ONE)
    outbox.label(session.drawing.id, 1, lambda: None)
    session.label(7)
    [record] = _records(session)
    assert (record.true_label, record.revision) == (7, 3)


def test_another_box_of_an_upload_is_read_as_the_same_drawing(session, fake_model):
    fake_model.content = ANSWER | {"box": [0.1, 0.1, 0.4, 0.5]}
    session.read_upload(STRIPES)
    assert session.box == (0.1, 0.1, 0.4, 0.5)
    fake_model.content = ANSWER | {"digit": 3, "box": [0.25, 0.5, 0.75, 1.0]}
    session.read_box((0.5, 0.0, 1.0, 0.5))
    asked = Image.open(io.BytesIO(fake_model.requests[-1][2]))
    assert set(asked.convert("L").resize((9, 9)).get_flattened_data()) == {0}  # the right half is black
    [record] = _records(session)
    assert (record.prediction, record.revision) == (3, 2)
    assert record.drawing == fake_model.requests[-1][2]
    # The box is widened within the picture; the answer's box is converted to the whole picture.
    assert session.box == pytest.approx((0.425 + 0.575 / 4, 0.575 / 2, 0.425 + 0.575 * 3 / 4, 0.575))
    session.read_box((0.0, 0.0, 0.3, 1.0))  # of the whole picture, not of the part
    asked = Image.open(io.BytesIO(fake_model.requests[-1][2]))
    assert asked.convert("L").getpixel((0, 0)) == 255
    assert session.file.original == STRIPES


def test_the_box_is_the_whole_picture_or_none_for_a_blank_one(session, fake_model):
    assert session.box is None
    session.read_upload(STRIPES)
    assert session.box == (0, 0, 1, 1)
    fake_model.content = ANSWER | {"is_digit": False, "reason": "blank"}
    session.read_upload(STRIPES)
    assert session.box is None


def test_a_box_after_a_label_begins_another_drawing(session, canvas):
    session.read_upload(STRIPES)
    session.label(1)
    session.read_box((0.5, 0.0, 1.0, 0.5))
    assert [(record.true_label, record.drawing == STRIPES) for record in _records(session)] == [
        (1, True),
        (None, False),
    ]


def test_a_box_waits_while_the_model_is_unavailable(session, fake_model):
    session.read_upload(STRIPES)
    fake_model.status = 503
    session.read_box((0.5, 0.0, 1.0, 0.5))
    assert (session.notice, session.box) == (UNAVAILABLE, None)
    session.read_box((0.0, 0.0, 0.3, 1.0))  # only one waits
    fake_model.status = 200
    session.retry()
    assert (session.notice, session.file.part[0], session.can_retry) == ("", pytest.approx(0.425), False)


def test_a_drawing_on_the_canvas_has_no_boxes(session, canvas, fake_model):
    session.read_upload(STRIPES)
    canvas.show(ONE)
    assert session.file is None
    session.read_box((0.0, 0.0, 1.0, 0.5))
    assert (len(fake_model.requests), session.box) == (2, None)
