"""Clicks directly after a stroke and strokes directly after a click: no stroke is lost."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from fixtures.drawing import (
    DIGITS,
    NONE_YET,
    draw_with_finger,
    draw_with_mouse,
    expect_answer,
    ink,
    open_page,
)
from fixtures.waiting import eventually
from tests.system.running import RunningSystem

# Delays of a click on its way to the server.
LONG_MS = 3000


@pytest.fixture
def slow_line(browser: Browser) -> Iterator["SlowLine"]:
    """A separate page: Playwright delivers the messages of a page only while the test waits for the browser."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, ignore_https_errors=True)
    yield SlowLine(context.new_page())
    context.close()


def test_a_label_directly_after_a_stroke_applies_to_this_stroke(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    before = system.drawings()
    first, second = DIGITS[4]
    draw_with_mouse(desktop, [first])
    expect(desktop.locator(".st-key-answer")).not_to_have_text(NONE_YET)
    eventually(lambda: system.drawings() == before + 1)
    draw_with_mouse(desktop, [second])
    desktop.locator(".st-key-label-4 button").click()
    expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 4")
    eventually(lambda: system.newest()[:3] == (4, 4, 3))
    eventually(lambda: ink(desktop) == 0)
    draw_with_mouse(desktop, DIGITS[7])
    desktop.locator(".st-key-label-7 button").click()  # still enabled for corrections
    expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 7")
    eventually(lambda: system.newest()[:3] == (7, 7, 2))
    assert system.drawings() == before + 2


def test_yes_confirms_the_answer_that_is_shown(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[1])
    expect_answer(desktop, 1)
    expect(desktop.locator(".st-key-label-8 button")).to_be_enabled()  # the whole answer is shown
    # As if the page had an answer that has not reached the browser.
    desktop.locator(".st-key-answer div div").last.evaluate("shown => { shown.textContent = '8' }")
    desktop.locator(".st-key-yes button").click()
    eventually(lambda: system.newest()[:2] == (1, 8))


def test_undo_directly_after_a_stroke_removes_this_stroke(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[1])
    expect_answer(desktop, 1)
    one = ink(desktop)
    draw_with_mouse(desktop, [[(20, 90), (80, 90)]])
    desktop.locator(".st-key-undo button").click()
    eventually(lambda: system.newest()[:3] == (1, None, 3))
    eventually(lambda: ink(desktop) == one)


def test_buttons_ignore_clicks_during_a_stroke(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[1])
    expect_answer(desktop, 1)
    one = ink(desktop)
    box = desktop.locator(".st-key-canvas").bounding_box()
    assert box is not None
    desktop.locator(".st-key-label-1 button").focus()
    desktop.mouse.move(box["x"] + 60, box["y"] + 290)
    desktop.mouse.down()
    desktop.mouse.move(box["x"] + 260, box["y"] + 290, steps=4)
    desktop.keyboard.press("Enter")
    desktop.mouse.up()
    eventually(lambda: system.newest()[1:3] == (None, 2))
    assert ink(desktop) > one


@pytest.mark.parametrize(
    ("viewport", "draw"), [("desktop", draw_with_mouse), ("phone", draw_with_finger)], ids=["mouse", "finger"]
)
def test_a_stroke_before_the_end_of_clear_is_stored(
    system: RunningSystem, request: pytest.FixtureRequest, viewport: str, draw: Callable
):
    page = request.getfixturevalue(viewport)
    open_page(page, system.address)
    before = system.drawings()
    first, second = DIGITS[4]
    draw(page, DIGITS[1])
    expect_answer(page, 1)
    for done, button in enumerate(("clear", "label-4", "clear"), 1):
        _press(page, button)
        draw(page, [first, second])
        expect_answer(page, 4)
        eventually(lambda done=done: system.drawings() == before + 1 + done)
    assert system.newest().true_label is None


def test_a_stroke_before_the_end_of_undo_or_a_brush_change_is_stored(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    first, second = DIGITS[4]
    draw_with_mouse(desktop, [first])
    expect(desktop.locator(".st-key-answer")).not_to_have_text(NONE_YET)
    one = ink(desktop)
    draw_with_mouse(desktop, [[(20, 90), (80, 90)]])
    _press(desktop, "undo")
    draw_with_mouse(desktop, [second])
    eventually(lambda: system.newest()[:3] == (4, None, 4))  # two strokes, the undone one and its end
    thin = ink(desktop)
    assert thin > one
    _press(desktop, "clear")
    _press(desktop, "brush", "Bold")
    draw_with_mouse(desktop, DIGITS[4])
    eventually(lambda: ink(desktop) > 1.2 * thin)
    expect_answer(desktop, 4)


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stroke_after_a_delayed_undo_is_stored(system: RunningSystem, slow_line: "SlowLine", times: int):
    page = slow_line.page
    open_page(page, system.address)
    first, second = DIGITS[4]
    draw_with_mouse(page, [first])
    expect(page.locator(".st-key-answer")).not_to_have_text(NONE_YET)
    draw_with_mouse(page, [[(20, 90), (80, 90)]] * times)
    slow_line.hold()
    for _ in range(times):
        _press(page, "undo")
    draw_with_mouse(page, [second])
    page.wait_for_timeout(LONG_MS)
    slow_line.release()
    expect_answer(page, 4)
    eventually(lambda: system.newest()[:2] == (4, None))


def test_a_stroke_after_a_delayed_clear_and_brush_change_is_stored(
    system: RunningSystem, slow_line: "SlowLine"
):
    page = slow_line.page
    open_page(page, system.address)
    draw_with_mouse(page, DIGITS[1])
    expect_answer(page, 1)
    thin = ink(page)
    slow_line.hold()
    _press(page, "clear")
    _press(page, "brush", "Bold")
    draw_with_mouse(page, DIGITS[1])
    page.wait_for_timeout(LONG_MS)
    slow_line.release()
    eventually(lambda: ink(page) > 1.2 * thin)
    expect_answer(page, 1)


def test_a_label_before_a_delayed_clear_applies_to_the_stroke_before_it(
    system: RunningSystem, slow_line: "SlowLine"
):
    page = slow_line.page
    open_page(page, system.address)
    before = system.drawings()
    draw_with_mouse(page, DIGITS[1])
    expect_answer(page, 1)
    slow_line.hold()
    _press(page, "clear")
    draw_with_mouse(page, DIGITS[7])
    _press(page, "label-7")
    page.wait_for_timeout(LONG_MS)
    slow_line.release()
    expect(page.locator(".st-key-question")).to_contain_text("Noted: a 7")
    eventually(lambda: system.newest()[:2] == (7, 7))
    assert system.drawings() == before + 2


def test_a_click_without_effect_does_not_delay_strokes(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    for button in ("undo", "clear"):
        _press(desktop, button)
        draw_with_mouse(desktop, DIGITS[7])
        expect_answer(desktop, 7)


def test_a_stroke_is_one_message(system: RunningSystem, desktop: Page):
    sent: list[str | bytes] = []

    def keep(frame: str | bytes) -> None:
        sent.append(frame)

    desktop.on("websocket", lambda socket: socket.on("framesent", keep))
    open_page(desktop, system.address)
    for done, act in enumerate(
        (lambda: draw_with_mouse(desktop, DIGITS[7]), lambda: _press(desktop, "undo")), 1
    ):
        sent.clear()
        act()
        expect(desktop.locator(".st-key-answer")).to_have_text("7" if done == 1 else NONE_YET)
        desktop.wait_for_timeout(500)  # longer than the package's own delay
        assert len(sent) == 1


def test_the_page_shows_that_it_waits_for_an_answer(system: RunningSystem, slow_line: "SlowLine"):
    page = slow_line.page
    open_page(page, system.address)
    verdict = page.locator(".st-key-verdict")
    expect(verdict).to_have_attribute("aria-busy", "false")
    slow_line.hold()
    draw_with_mouse(page, DIGITS[7])
    expect(verdict).to_have_attribute("aria-busy", "true")
    parts = verdict.locator(".stHtml > *").all()
    assert len(parts) >= 5
    for part in parts:
        expect(part).to_have_css("opacity", "0.6")
    slow_line.release()
    expect_answer(page, 7)
    for part in verdict.locator(".stHtml > *").all():
        expect(part).to_have_css("opacity", "1")


def test_a_new_answer_is_not_dimmed_before_the_page_confirms_it(system: RunningSystem, slow_line: "SlowLine"):
    page = slow_line.page
    open_page(page, system.address)
    verdict = page.locator(".st-key-verdict")
    slow_line.hold()
    draw_with_mouse(page, DIGITS[7])
    digit = page.locator(".st-key-answer .stHtml > *")
    expect(digit).to_have_css("opacity", "0.6")
    page.evaluate(
        """() => {
            const answer = document.querySelector('.st-key-answer')
            new MutationObserver(() => {
                const [part] = answer.querySelectorAll('.stHtml > *')
                if (part.textContent === '7') window.opacity ??= getComputedStyle(part).opacity
            }).observe(answer, { childList: true, subtree: true, characterData: true })
        }"""
    )
    slow_line.release()
    expect_answer(page, 7)
    expect(verdict).to_have_attribute("aria-busy", "false")
    assert page.evaluate("window.opacity") == "1"


def test_undo_clear_and_labels_do_not_wait_for_the_server(system: RunningSystem, slow_line: "SlowLine"):
    page = slow_line.page
    open_page(page, system.address)
    before = system.drawings()
    first, second = DIGITS[4]
    draw_with_mouse(page, [first])
    one = eventually(lambda: ink(page))
    draw_with_mouse(page, [second])
    expect_answer(page, 4)
    eventually(lambda: system.newest()[:3] == (4, None, 2))
    slow_line.hold("answers")
    _press(page, "undo")
    eventually(lambda: ink(page) == one)
    draw_with_mouse(page, [second])
    _press(page, "label-4")
    eventually(lambda: ink(page) == 0)
    draw_with_mouse(page, DIGITS[1])
    # The server stores the 1 only if it reads it before Clear arrives.
    eventually(lambda: ink(page) > 0 and system.newest()[:2] == (1, None))
    _press(page, "clear")
    eventually(lambda: ink(page) == 0)
    draw_with_mouse(page, DIGITS[7])
    slow_line.release()
    expect_answer(page, 7)
    stored = "SELECT prediction, true_label FROM predictions ORDER BY created_at DESC LIMIT "
    expected = [(7, None), (1, None), (4, 4)]
    eventually(lambda: system.rows(f"{stored} {system.drawings() - before}") == expected)


class SlowLine:
    """A connection that can hold back the page's messages or the server's answers."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._held = ""
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket("**/_stcore/stream", self._connect)

    def hold(self, kind: Literal["messages", "answers"] = "messages") -> None:
        self._held = kind

    def release(self) -> None:
        while self._waiting:  # more messages may arrive meanwhile
            receiver, message = self._waiting.pop(0)
            receiver.send(message)
        self._held = ""

    def _connect(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        page.on_message(partial(self._send, "messages", server))
        server.on_message(partial(self._send, "answers", page))

    def _send(self, kind: str, receiver: WebSocketRoute, message: str | bytes) -> None:
        if kind == self._held:
            self._waiting.append((receiver, message))
        else:
            receiver.send(message)


def _press(page: Page, key: str, text: str = "") -> None:
    """Click without waiting for the effect, as Playwright's own click would."""
    page.locator(f".st-key-{key} button:enabled", has_text=text).evaluate("button => button.click()")
