"""The box picker: the box of the answer, and other boxes by a tap, a drag or a line around a digit."""

from math import cos, radians, sin
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from fixtures.drawing import TouchScreen, clear, expect_answer, open_page
from fixtures.waiting import eventually
from tests.system.running import RunningSystem

PICTURE = ".st-key-file img"
PLACES = {5: (60, 80), 3: (420, 200)}  # left and top of the digits in a picture of 600 x 400
SIDE = 120


@pytest.fixture
def two_digits(system: RunningSystem, tmp_path: Path) -> Path:
    sheet = Image.new("L", (600, 400), 255)
    for digit, place in PLACES.items():
        known = Image.open(f"{system.checkout}/training/known_digits/{digit}.png").convert("L")
        ink = (
            known.resize((SIDE, SIDE))
            if known.getpixel((0, 0)) < 128
            else known.point(lambda grey: 255 - grey)
        )
        sheet.paste(0, place, ink.resize((SIDE, SIDE)))
    sheet.save(tmp_path / "two.png")
    return tmp_path / "two.png"


def _choose(page: Page, file: Path) -> dict[str, float]:
    """Choose a file; returns the bounding box of its picture on the page."""
    page.locator(".st-key-choose button").click()
    page.locator(".st-key-upload input[type=file]").set_input_files(file)
    expect(page.locator(".st-key-file .box")).to_be_visible()
    return page.locator(PICTURE).bounding_box()


def _to_page(picture: dict[str, float], x: float, y: float) -> tuple[float, float]:
    return picture["x"] + x / 600 * picture["width"], picture["y"] + y / 400 * picture["height"]


def _tap(phone: Page, picture: dict[str, float], digit: int) -> tuple[float, float]:
    """Tap a digit and wait until it is read; returns its middle on the page."""
    left, top = PLACES[digit]
    middle = _to_page(picture, left + SIDE / 2, top + SIDE / 2)
    phone.touchscreen.tap(*middle)
    expect_answer(phone, digit)
    return middle


def test_the_tools_stay_in_place_below_a_picture(system: RunningSystem, desktop: Page, two_digits: Path):
    open_page(desktop, system.address)
    _choose(desktop, two_digits)
    clear(desktop)
    tools = desktop.locator(".st-key-tools")
    below_canvas = tools.bounding_box()["y"]
    _choose(desktop, two_digits)
    eventually(lambda: tools.bounding_box()["y"] == below_canvas)


def test_a_tap_reads_that_digit_and_clear_shows_the_canvas_again(
    system: RunningSystem, phone: Page, two_digits: Path
):
    open_page(phone, system.address)
    picture = _choose(phone, two_digits)
    for digit in PLACES:
        x, y = _tap(phone, picture, digit)
        box = phone.locator(".st-key-file .box").bounding_box()
        assert box["x"] < x < box["x"] + box["width"]
        assert box["y"] < y < box["y"] + box["height"]
    clear(phone)
    expect(phone.locator(PICTURE)).to_have_count(0)


def test_a_dragged_box_is_read_even_if_an_answer_arrives_during_the_drag(
    system: RunningSystem, desktop: Page, two_digits: Path
):
    open_page(desktop, system.address)
    picture = _choose(desktop, two_digits)
    pressed = None
    for digit in (3, 5):
        left, top = PLACES[digit]
        desktop.mouse.move(*_to_page(picture, left, top))
        desktop.mouse.down()
        if pressed is not None:
            expect_answer(desktop, pressed)
        desktop.mouse.move(*_to_page(picture, left + SIDE, top + SIDE), steps=4)
        desktop.mouse.up()
        pressed = digit
    expect_answer(desktop, 5)


def test_a_digit_is_circled_with_a_finger_and_dragged_over_with_a_pen(
    system: RunningSystem, phone: Page, two_digits: Path
):
    open_page(phone, system.address)
    picture = _choose(phone, two_digits)
    screen = TouchScreen(phone)
    first, *circle = [_to_page(picture, *_around(3, degrees)) for degrees in range(0, 370, 10)]
    screen.touch("touchStart", first)
    for point in circle:
        screen.touch("touchMove", point)
    screen.touch("touchEnd")
    expect_answer(phone, 3)

    left, top = PLACES[5]
    screen.pen("mousePressed", _to_page(picture, left + SIDE, top + SIDE))
    screen.pen("mouseMoved", _to_page(picture, left, top))
    beyond_the_edge = _to_page(picture, -20, -20)
    screen.pen("mouseMoved", beyond_the_edge)
    screen.pen("mouseReleased", beyond_the_edge)
    expect_answer(phone, 5)


def _around(digit: int, degrees: int) -> tuple[float, float]:
    left, top = PLACES[digit]
    radius = 0.6 * SIDE
    return left + SIDE / 2 + radius * cos(radians(degrees)), top + SIDE / 2 + radius * sin(radians(degrees))


# How far the first finger moves before the second comes, in pixels.
@pytest.mark.parametrize("moved_before", [0, 20])
def test_two_fingers_zoom_and_pick_nothing(
    system: RunningSystem, phone: Page, two_digits: Path, moved_before: int
):
    open_page(phone, system.address)
    picture = _choose(phone, two_digits)
    _tap(phone, picture, 3)
    shown = phone.locator(".st-key-file .box").get_attribute("style")
    screen = TouchScreen(phone)
    (x, y), (other_x, other_y) = _to_page(picture, 100, 140), _to_page(picture, 200, 160)
    screen.touch("touchStart", (x, y))
    if moved_before:
        y -= moved_before
        screen.touch("touchMove", (x, y))
    for apart in range(0, 60, 4):
        kind = "touchMove" if apart else "touchStart"
        screen.touch(kind, (x - apart, y), (other_x + apart, other_y))
        phone.wait_for_timeout(16)
    screen.touch("touchEnd")
    eventually(lambda: phone.evaluate("visualViewport.scale") > 1.5)
    phone.wait_for_timeout(1000)  # a line that was sent would be read by now
    expect_answer(phone, 3)
    assert phone.locator(".st-key-file .box").get_attribute("style") == shown


def test_a_line_disappears_at_its_end(system: RunningSystem, desktop: Page, two_digits: Path):
    open_page(desktop, system.address)
    picture = _choose(desktop, two_digits)
    assert _visible_pixels(desktop) == 0
    left, top = PLACES[3]
    desktop.mouse.move(*_to_page(picture, left, top))
    desktop.mouse.down()
    desktop.mouse.move(*_to_page(picture, left + SIDE, top + SIDE), steps=4)
    assert _visible_pixels(desktop) > 100
    desktop.mouse.up()
    eventually(lambda: _visible_pixels(desktop) == 0)
    expect_answer(desktop, 3)


def _visible_pixels(page: Page) -> int:
    """The number of pixels of lines on the visible canvases over the picture."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.st-key-file canvas')]
            .filter((canvas) => getComputedStyle(canvas).visibility === 'visible')
            .flatMap((canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data])
            .filter((level, i) => i % 4 === 3 && level > 0).length"""
    )
