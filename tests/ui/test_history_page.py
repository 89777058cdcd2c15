"""History, Insights and Models in Streamlit's AppTest, with a stand-in for the database.

tests/sql asks the real database, tests/system goes through both in a browser.
"""

import re
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from streamlit.util import calc_hash

from tests.ui import test_app
from tests.ui.test_insights import _insights
from tests.ui.test_outbox import RECORD
from ui import history, history_page
from ui.database import Database, DatabaseError
from ui.history_page import DELETED, NO_DRAWINGS, NO_MATCH, UNAVAILABLE
from ui.insights import Drift, Share, Stored
from ui.outbox_file import OutboxError
from ui.session import LABEL_NOT_SAVED

page = test_app.page
box_picker = test_app.box_picker
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Log:
    """Stands in for the database and the queries of ui.history."""

    def __init__(self):
        self.rows = []
        self.stored = []
        self.estimates = {}
        self.drifts = []
        self.away = False
        self.asked = 0

    @contextmanager
    def reading(self):
        if self.away:
            raise DatabaseError
        yield self

    def newest(self, _connection, filters, cursor=None, limit=history.PAGE + 1):
        self.asked += 1
        return self._page([row for row in self.rows if filters.match(row)], cursor, limit)

    def record(self, _connection, drawing_id):
        return next((row for row in self.rows if row.id == drawing_id), None)

    def versions(self, _connection):
        return sorted({row.model_version for row in self.rows})

    def _page(self, rows, cursor, limit):
        return (
            history.merge_waiting(rows, [], None, lambda _: True, 10_000)[:limit]
            if cursor is None
            else history.merge_waiting(
                [row for row in rows if cursor.covers(row)], [], cursor, lambda _: True, limit
            )
        )


@pytest.fixture
def log(monkeypatch):
    log = Log()
    monkeypatch.setattr(Database, "reading", lambda _: log.reading())
    for name in ("newest", "record", "versions"):
        monkeypatch.setattr(history, name, getattr(log, name))
    monkeypatch.setattr("ui.insights.storage_by_visitor", lambda *_: log.stored)
    monkeypatch.setattr("ui.insights.estimates", lambda *_: log.estimates)
    monkeypatch.setattr("ui.insights.drifts", lambda *_: log.drifts)
    return log


@pytest.fixture
def operator(monkeypatch):
    monkeypatch.setattr("ui.sign_in.is_local", lambda *_: True)


def _rows(count, **changes):
    return [
        replace(RECORD, id=uuid.UUID(int=n + 1), created_at=NOON - timedelta(minutes=n), **changes)
        for n in range(count)
    ]


def _go(page, path):
    """Follow a link, which AppTest cannot click."""
    page.app._page_hash = calc_hash(path)
    page.app.run()
    assert not page.app.exception


def _choose(page, record):
    page.app.session_state["view"].chosen = record.id
    page.app.run()


def _shown_ids(page):
    return [card.row.id for card in page.app.session_state["view"].cards]


def _keys(page):
    return {widget.key for widget in (*page.app.button, *page.app.selectbox)}


def test_a_visitor_sees_drawings_that_are_not_delivered(page, log):
    log.rows = _rows(3)
    page.draw("stroke")
    _go(page, "history")
    assert _shown_ids(page) == [page.app.session_state["session"].drawing.id]
    assert not {"filter-digit", "filter-version"} & _keys(page)


def test_signing_in_shows_all_drawings_and_signing_out_hides_them(page, log, monkeypatch):
    log.rows = _rows(3)
    _go(page, "history")
    assert _shown_ids(page) == []
    monkeypatch.setattr("ui.sign_in.is_local", lambda *_: True)
    page.app.run()
    assert len(_shown_ids(page)) == 3
    monkeypatch.setattr("ui.sign_in.is_local", lambda *_: False)
    page.app.run()
    assert _shown_ids(page) == []


def test_drawings_are_marked_as_loaded_only_after_they_are_read(page, log, monkeypatch):
    """A second click on the link starts a run while the first one loads the drawings."""
    loaded = []

    def newest(*asked):
        loaded.append(history_page._view().filters)
        return log.newest(*asked)

    monkeypatch.setattr(history, "newest", newest)
    _go(page, "history")
    assert loaded == [None]


def test_a_visitor_without_drawings_sees_a_sentence(page, log):
    log.rows = _rows(3)
    _go(page, "history")
    assert page.text("list") == NO_DRAWINGS


def test_an_operator_sees_all_drawings_and_turns_pages(page, log, operator):
    log.rows = _rows(120)
    _go(page, "history")
    first = _shown_ids(page)
    assert first == [row.id for row in log.rows[:50]]
    assert (page.disabled("newer"), page.disabled("older")) == (True, False)
    page.press("older")
    page.press("older")
    assert _shown_ids(page) == [row.id for row in log.rows[100:]]
    assert page.disabled("older")
    page.press("newer")
    page.press("newer")
    assert _shown_ids(page) == first
    assert page.disabled("newer")


def test_a_loaded_page_stays_until_it_is_turned(page, log, operator):
    log.rows = _rows(3)
    _go(page, "history")
    [fresh] = [replace(RECORD, id=uuid.uuid4(), created_at=NOON + timedelta(hours=1))]
    log.rows.append(fresh)
    _choose(page, log.rows[1])
    assert fresh.id not in _shown_ids(page)
    assert log.asked == 1
    page.press("newest")
    assert _shown_ids(page)[0] == fresh.id
    _go(page, "")
    log.rows.append(replace(fresh, id=uuid.uuid4(), created_at=NOON + timedelta(hours=2)))
    _go(page, "history")
    assert len(_shown_ids(page)) == 5  # a return loads the page again


def test_the_widgets_set_the_filters(page, log, operator):
    log.rows = [
        *_rows(2),
        replace(RECORD, id=uuid.uuid4(), prediction=3, model_version="1.1", is_digit=False),
    ]
    _go(page, "history")
    page.app.selectbox(key="filter-digit").set_value(3).run()
    assert _shown_ids(page) == [log.rows[2].id]
    page.app.selectbox(key="filter-version").set_value("1.0").run()
    assert page.text("list") == NO_MATCH
    page.app.selectbox(key="filter-digit").set_value(None).run()
    assert len(_shown_ids(page)) == 2
    page.app.button_group(key="filter-looks").set_value("Not a digit").run()
    assert _shown_ids(page) == []


def test_a_label_is_written_to_the_outbox_and_shown_at_once(page, log, operator):
    log.rows = _rows(2)
    _go(page, "history")
    _choose(page, log.rows[1])
    page.press("correct-3")
    [kept] = page.rows()
    assert (kept.id, kept.true_label, kept.revision, kept.drawing) == (log.rows[1].id, 3, 2, RECORD.drawing)
    assert page.app.session_state["view"].cards[1].row.true_label == 3
    assert "Label: 3" in page.text("detail")
    _go(page, "")
    _go(page, "history")  # the database still has the old row
    assert page.app.session_state["view"].cards[1].row.true_label == 3


def test_the_current_drawing_is_labelled_as_on_the_drawing_page(page, log):
    page.draw("stroke")
    _go(page, "history")
    _choose(page, page.app.session_state["session"].drawing)
    page.press("correct-4")
    [row] = page.rows()
    assert (row.true_label, row.revision) == (4, 2)
    _go(page, "")
    assert "Noted: a 4" in page.text("question")
    page.run()
    assert page.canvas.strokes == []
    page.label(7)
    assert [(row.true_label, row.revision) for row in page.rows()] == [(7, 3)]


def test_a_visitor_cannot_label_another_visitors_drawing(page, log):
    log.rows = _rows(1)
    page.draw("stroke")
    _go(page, "history")
    view = page.app.session_state["view"]
    view.cards.append(history_page.Card.of(log.rows[0]))  # as a manipulated browser might
    _choose(page, log.rows[0])
    page.press("correct-4")
    assert DELETED in page.text("detail")
    assert [row.true_label for row in page.rows()] == [None]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda log, _: setattr(log, "away", True), UNAVAILABLE),
        (lambda log, _: log.rows.clear(), DELETED),
        (lambda _, patch: patch.setattr("ui.outbox.Outbox.label", _fail_to_store), LABEL_NOT_SAVED),
    ],
)
@pytest.mark.usefixtures("operator")
def test_a_label_that_cannot_be_stored_is_not_shown(page, log, monkeypatch, harm, said):
    log.rows = _rows(1)
    _go(page, "history")
    _choose(page, log.rows[0])
    harm(log, monkeypatch)
    page.press("correct-3")
    assert said in page.text("detail")
    assert page.app.session_state["view"].cards[0].row.true_label is None


def _fail_to_store(*_):
    raise OutboxError


def test_an_unavailable_database_is_reported_and_drawing_still_works(page, log, operator):
    log.away = True
    _go(page, "history")
    assert page.text("list") == UNAVAILABLE
    _go(page, "insights")
    assert "Database unavailable" in "".join(element.proto.body for element in page.app.get("html"))
    _go(page, "")
    page.draw("stroke")
    assert page.text("answer") == "7"
    log.away, log.rows = False, _rows(1)
    _go(page, "history")
    assert len(_shown_ids(page)) == 2


def test_insights_are_for_operators_only(page, log):
    _go(page, "insights")
    assert "chart-by-day" not in _html_keys(page)
    assert "heading" in _html_keys(page)
    assert page.text("answer")  # it is the drawing page


def test_insights_show_numbers_and_charts(page, log, operator, monkeypatch):
    log.rows = _rows(1)
    found = _insights(
        by_day={(date(2026, 1, 2), "1.0"): 10, (date(2026, 1, 3), "1.1"): 5},
        no_digits=2,
        accuracies={"1.0": Share(9, 10)},
        confusion={(7, 7): 9, (1, 7): 1},
        confidences={(True, 19): 9, (False, 10): 1, (None, 3): 5},
        latencies={24: 10, 32: 5},
    )
    monkeypatch.setattr("ui.insights.insights", lambda *_: found)
    log.stored = [Stored("0123456789abcdef" * 4, 1200, 34_560_000), Stored(None, 3, 9000)]
    log.estimates = {"1.0": 0.953}
    _go(page, "insights")
    assert "No drift values" in page.html("chart-drift")
    log.drifts = [
        Drift("1.0", "digit", 400, 0.034, "stable"),
        Drift("1.0", "ink_share", 400, 0.71, "drifted"),
        Drift("1.1", "ink_share", 300, 0.05, "stable"),
    ]
    _go(page, "insights")
    drift = page.html("chart-drift")
    assert "<th>Feature</th><th>1.0</th><th>1.1</th>" in drift
    assert "<td>Digit</td><td>0.03 stable</td><td>" in drift
    assert "<td>Ink share</td><td><strong>0.71 drifted</strong></td><td>0.05 stable</td>" in drift
    storage = page.html("chart-storage")
    assert "<td>01234567</td><td>1,200</td><td>34.56 MB</td>" in storage
    assert "<td>not recorded</td><td>3</td><td>0.01 MB</td>" in storage
    words = page.html("chart-accuracy")
    assert "95 % interval" in words
    body = "".join(element.proto.body for element in page.app.get("html"))
    for told in ("15", "2 rejected as not a digit", "90.0%", "59.6% to 98.2%, of 10 labelled"):
        assert told in body
    assert len(page.app.get("vega_lite_chart") or page.app.get("arrow_vega_lite_chart")) == 5
    monkeypatch.setattr("ui.insights.insights", lambda *_: _insights())
    _go(page, "insights")
    assert "No drawings in this period" in "".join(element.proto.body for element in page.app.get("html"))


def test_models_are_compared_with_the_one_with_most_answers(page, log, operator, monkeypatch):
    log.rows = [replace(row, model_version=version) for row, version in zip(_rows(3), "ABC", strict=True)]
    day = date(2026, 1, 2)
    found = {
        "A": _insights(by_day={(day, "A"): 300}, accuracies={"A": Share(90, 100)}, latencies={24: 300}),
        "B": _insights(
            by_day={(day, "B"): 90}, accuracies={"B": Share(60, 60)}, confidences={(True, 19): 90}
        ),
        "C": _insights(by_day={(day, "C"): 10}),
    }
    monkeypatch.setattr("ui.models_page.insights", lambda _connection, _since, version: found[version])
    _go(page, "versions")
    body = "".join(element.proto.body for element in page.app.get("html"))
    first, second, third = re.findall(r"<tr><td>.*?</tr>", body)
    assert "<td>A</td><td>300</td><td>75.0%</td><td>90.0% <span class='small'>82.6% to 94.5%, of 100" in first
    assert "<td>B</td><td>90</td><td>22.5%</td>" in second
    assert "better <span class='small'>+2.5 to +17.4 points" in second
    assert third.count("no labels yet") == 2
    assert "Compared with A" in body
    monkeypatch.setattr("ui.models_page.insights", lambda *_: _insights())
    _go(page, "versions")
    assert "No drawings in this period" in "".join(element.proto.body for element in page.app.get("html"))


def test_models_are_for_operators_only(page, log):
    _go(page, "versions")
    assert page.text("answer")  # it is the drawing page


def _html_keys(page):
    def walk(block):
        for child in block.children.values():
            if hasattr(child, "children"):
                yield child.key
                yield from walk(child)

    return set(walk(page.app.main))
