"""Fingers, palm and pen on a touch screen: one finger or the pen draws; two fingers scroll and zoom."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from fixtures.drawing import (
    DIGITS,
    NONE_YET,
    TouchScreen,
    clear,
    draw_with_finger,
    draw_with_pen,
    expect_answer,
    ink,
    open_page,
    show_canvas,
    to_pixels,
)
from fixtures.waiting import eventually
from tests.system.running import RunningSystem

SCROLLED = "document.querySelector('.stMain').scrollTop"
ZOOM = "visualViewport.scale"
FRAME_MS = 16
# Longer than the pause after a pen in which pointers.js ignores fingers.
AFTER_THE_PEN_MS = 1200
# Position of a right hand's palm on a canvas of 100 x 100.
PALM = (88, 92)


@pytest.fixture
def low_phone(new_page: Callable[..., Page]) -> Page:
    """A phone with a low screen, so that the page can be scrolled."""
    return new_page(width=390, height=500, has_touch=True, is_mobile=True)


@pytest.mark.parametrize("strokes_before_palm", [0, 1])
def test_a_pen_draws_while_the_palm_rests_on_the_canvas(
    system: RunningSystem, phone: Page, strokes_before_palm: int
):
    open_page(phone, system.address)
    draw_with_pen(phone, DIGITS[4])
    expect_answer(phone, 4)
    without_palm = ink(phone)
    clear(phone)
    phone.wait_for_timeout(AFTER_THE_PEN_MS)

    before = system.drawings()
    screen = TouchScreen(phone)
    [palm, moved] = to_pixels(phone, [PALM, (PALM[0] + 1, PALM[1] - 1)])
    draw_with_pen(phone, DIGITS[4][:strokes_before_palm])
    screen.touch("touchStart", palm)
    screen.touch("touchMove", moved)
    draw_with_pen(phone, DIGITS[4][strokes_before_palm:])
    screen.touch("touchEnd")
    expect_answer(phone, 4)
    eventually(lambda: system.drawings() == before + 1)
    eventually(lambda: ink(phone) == without_palm)


def test_a_palm_draws_no_dot_between_two_strokes_of_a_pen(system: RunningSystem, phone: Page):
    open_page(phone, system.address)
    screen = TouchScreen(phone)
    first, second = DIGITS[4]
    draw_with_pen(phone, [first])
    drawn = eventually(lambda: ink(phone))
    [palm] = to_pixels(phone, [PALM])
    screen.touch("touchStart", palm)
    screen.touch("touchEnd")
    assert ink(phone) == drawn
    draw_with_pen(phone, [second])
    expect_answer(phone, 4)
    phone.wait_for_timeout(AFTER_THE_PEN_MS)
    clear(phone)
    draw_with_finger(phone, DIGITS[7])  # a finger draws again after the pause
    expect_answer(phone, 7)


# How far the first finger draws before the second comes, in pixels.
@pytest.mark.parametrize("drawn_before", [0, 6])
def test_two_fingers_zoom_and_draw_nothing(system: RunningSystem, phone: Page, drawn_before: int):
    open_page(phone, system.address)
    before = system.drawings()
    _two_fingers(phone, drawn_before, apart=8)
    eventually(lambda: phone.evaluate(ZOOM) > 1.5)
    assert ink(phone) == 0
    phone.wait_for_timeout(500)  # a stroke that was sent would be read by now
    expect(phone.locator(".st-key-answer")).to_have_text(NONE_YET)
    assert system.drawings() == before


@pytest.mark.parametrize("drawn_before", [0, 6])
def test_two_fingers_scroll_and_keep_the_strokes(system: RunningSystem, low_phone: Page, drawn_before: int):
    open_page(low_phone, system.address)
    before = system.drawings()
    first, second = DIGITS[4]
    draw_with_finger(low_phone, [first])
    drawn = eventually(lambda: ink(low_phone))
    _two_fingers(low_phone, drawn_before, up=8)  # before the stroke was sent
    eventually(lambda: low_phone.evaluate(SCROLLED) > 0)
    assert ink(low_phone) == drawn
    low_phone.evaluate(f"{SCROLLED} = 0")
    draw_with_finger(low_phone, [second])
    expect_answer(low_phone, 4)
    eventually(lambda: system.drawings() == before + 1)


def test_a_pen_draws_at_once_after_clear_although_the_palm_came_first(system: RunningSystem, phone: Page):
    open_page(phone, system.address)
    draw_with_pen(phone, DIGITS[1])
    expect_answer(phone, 1)
    phone.wait_for_timeout(AFTER_THE_PEN_MS)
    screen = TouchScreen(phone)
    [palm] = to_pixels(phone, [PALM])
    phone.locator(".st-key-clear button").evaluate("button => button.click()")
    screen.touch("touchStart", palm)
    draw_with_pen(phone, DIGITS[4])
    screen.touch("touchEnd")
    expect_answer(phone, 4)
    phone.wait_for_timeout(AFTER_THE_PEN_MS)
    waited = ink(phone)
    clear(phone)
    draw_with_pen(phone, DIGITS[4])
    expect_answer(phone, 4)
    assert ink(phone) == waited


def test_a_finger_draws_after_a_long_press(system: RunningSystem, phone: Page):
    open_page(phone, system.address)
    screen = TouchScreen(phone)
    first, *rest = to_pixels(phone, DIGITS[7][0])
    screen.touch("touchStart", first)
    phone.wait_for_timeout(1500)  # a long press
    for point in rest:
        screen.touch("touchMove", point)
    screen.touch("touchEnd")
    expect_answer(phone, 7)


def _two_fingers(page: Page, drawn_before: int, apart: int = 0, up: int = 0) -> None:
    """Two fingers on the canvas move by so many pixels a frame."""
    show_canvas(page)
    screen = TouchScreen(page)
    [(x, y), (other_x, other_y)] = to_pixels(page, [(40, 70), (55, 75)])
    screen.touch("touchStart", (x, y))
    if drawn_before:
        screen.touch("touchMove", (x, y - drawn_before))
        y -= drawn_before
    screen.touch("touchStart", (x, y), (other_x, other_y))
    for step in range(1, 16):
        moved = step * apart, step * up
        screen.touch("touchMove", (x - moved[0], y - moved[1]), (other_x + moved[0], other_y - moved[1]))
        page.wait_for_timeout(FRAME_MS)
    screen.touch("touchEnd")
