"""The box picker: the box of the answer, and other boxes by tap or drag."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from fixtures.drawing import clear, expect_answer, open_page
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


def test_a_tap_reads_that_digit_and_clear_shows_the_canvas_again(
    system: RunningSystem, phone: Page, two_digits: Path
):
    open_page(phone, system.address)
    picture = _choose(phone, two_digits)
    for digit, (left, top) in PLACES.items():
        phone.touchscreen.tap(*_to_page(picture, left + SIDE / 2, top + SIDE / 2))
        expect_answer(phone, digit)
        box = phone.locator(".st-key-file .box").bounding_box()
        x, y = _to_page(picture, left + SIDE / 2, top + SIDE / 2)
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
