"""The page shows the names of the digits; with other names it is the page of another classifier."""

from datetime import UTC

import pytest

from tests.ui import test_app, test_history_page
from tests.ui.test_outbox import RECORD
from ui import answer, cards, digits
from ui.cards import Card
from ui.model_client import Explanation

page = test_app.page
box_picker = test_app.box_picker
log, operator = test_history_page.log, test_history_page.operator
NAMES = tuple(f"{digit} named" for digit in digits.DIGITS)


@pytest.fixture(autouse=True)
def other_names(monkeypatch):
    for module in ("answer", "cards", "history_filters", "history_page"):
        monkeypatch.setattr(f"ui.{module}.NAMES", NAMES)


def test_the_answer_and_its_label(page):
    page.draw("stroke")
    assert page.text("answer") == "7 named"
    assert all(name in page.text("bars") for name in NAMES)
    assert [page.app.button(key=f"label-{digit}").label for digit in digits.DIGITS] == list(NAMES)
    page.label(2)
    assert "Noted: a 2 named" in page.text("question")


def test_the_explanation(page):
    page.draw("stroke")
    rows = [[0.0] * 28] * 28
    explanation = Explanation(7, rows, 1, rows)
    shown = answer._explanation(page.app.session_state["session"].drawing, explanation)
    assert "Evidence for 7 named rather than 1 named" in shown


def test_a_card_and_its_details():
    card = Card.of(RECORD.add_label(2))
    assert "<b>7 named</b>" in cards.card_html(card, UTC)
    assert "is a 2 named" in cards.card_html(card, UTC)
    assert '<div class="read">7 named</div>' in cards.detail_html(card, UTC)


def test_history(page, log, operator):
    log.rows = test_history_page._rows(1)
    test_history_page._go(page, "history")
    test_history_page._choose(page, log.rows[0])
    assert page.app.selectbox(key="filter-digit").options == list(NAMES)
    assert page.app.button(key="correct-3").label == "3 named"
    page.press("correct-3")
    assert "Label: 3 named" in page.text("detail")
