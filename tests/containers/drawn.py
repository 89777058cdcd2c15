"""Visitors who draw on the containers' page, and rows of old drawings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer, expect_empty, open_page
from fixtures.waiting import eventually
from tests.containers.deployment import Deployment

RECOVERY_S = 120
INSERT = """
    INSERT INTO predictions (id, created_at, prediction, confidence, probabilities, is_digit, digit_score,
                             model_version, latency_ms, drawing, revision, true_label, labelled_at)
    SELECT gen_random_uuid(), %s::date + interval '12 hours', 7, 0.9, array_fill(0.1::real, ARRAY[10]), true, 0.9,
           '1.0', 3.5, 'png', 1, 7, now() FROM generate_series(1, %s)
    RETURNING id
"""


def insert(deployment: Deployment, count: int, day: str = "2001-02-03") -> set:
    """Insert labelled drawings; returns their ids."""
    return {row[0] for row in deployment.rows(INSERT, day, count)}


def count_drawings(deployment: Deployment) -> int:
    return deployment.rows("SELECT count(*) FROM predictions")[0][0]


@contextmanager
def pages(browser: Browser, deployment: Deployment, count: int = 1) -> Iterator[list[Page]]:
    """Browser pages of `count` visitors."""
    contexts = [
        browser.new_context(viewport={"width": 1280, "height": 900}, ignore_https_errors=True)
        for _ in range(count)
    ]
    opened = [context.new_page() for context in contexts]
    for page in opened:
        open_page(page, deployment.address)
    try:
        yield opened
    finally:
        for context in contexts:
            context.close()


def draw(visitors: Sequence[Page], digit: int) -> None:
    """Each visitor draws a new digit and waits for its answer during any restart."""
    clear(visitors)
    for page in visitors:
        draw_with_mouse(page, DIGITS[digit])
    for page in visitors:
        expect_digit(page, digit)


def clear(visitors: Sequence[Page]) -> None:
    """Each visitor presses Clear and waits for an empty canvas."""
    for page in visitors:
        eventually(lambda page=page: _is_cleared(page), RECOVERY_S)


def _is_cleared(page: Page) -> bool:
    """Whether Clear works. A press during a restart does not, so visitors press again."""
    page.locator(".st-key-clear button").click(timeout=RECOVERY_S * 1000)
    try:
        expect_empty(page)
    except AssertionError:
        return False
    return True


def expect_digit(page: Page, digit: int) -> None:
    """Wait for the answer, at most for the time of a restart."""
    expect(page.locator(".st-key-answer")).to_have_text(str(digit), timeout=RECOVERY_S * 1000)
    expect_answer(page, digit)
