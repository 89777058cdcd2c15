"""The page in a real browser: draw with mouse and finger, read the answer, check the row, label it."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from fixtures.drawing import (
    DIGITS,
    NONE_YET,
    clear,
    draw_with_finger,
    draw_with_mouse,
    expect_answer,
    expect_empty,
    ink,
    open_page,
    show_canvas,
)
from fixtures.waiting import eventually
from tests.system.running import RunningSystem

# Streamlit scrolls this element and not the document.
SCROLLED = "document.querySelector('.stMain').scrollTop"


def test_each_digit_is_drawn_read_stored_and_labelled(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    for digit, strokes in DIGITS.items():
        before = system.drawings()
        draw_with_mouse(desktop, strokes)
        expect_answer(desktop, digit)
        eventually(lambda before=before: system.drawings() == before + 1)
        eventually(lambda digit=digit: system.newest()[:2] == (digit, None))
        newest = system.newest()
        assert Image.open(io.BytesIO(newest.drawing)).size == (320, 320)

        desktop.locator(f".st-key-label-{digit} button").click()
        eventually(
            lambda digit=digit, newest=newest: (
                system.rows(
                    "SELECT true_label FROM predictions WHERE id = %s AND labelled_at IS NOT NULL", newest.id
                )
                == [(digit,)]
            )
        )
        expect(desktop.locator(".st-key-question")).to_contain_text(f"Noted: a {digit}")
        clear(desktop)


def test_a_finger_draws_on_a_phone(system: RunningSystem, phone: Page):
    open_page(phone, system.address)
    for digit in (3, 7):
        show_canvas(phone)
        before, scrolled = system.drawings(), phone.evaluate(SCROLLED)
        draw_with_finger(phone, DIGITS[digit])
        expect_answer(phone, digit)
        assert phone.evaluate(SCROLLED) == scrolled  # the finger draws and does not scroll
        eventually(lambda before=before: system.drawings() == before + 1)
        phone.locator(".st-key-yes button").click()
        eventually(lambda digit=digit: system.newest()[:2] == (digit, digit))
        clear(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_strokes_of_one_drawing_are_one_row_and_a_label_closes_it(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    before = system.drawings()
    first, second = DIGITS[4]
    draw_with_mouse(desktop, [first])
    expect(desktop.locator(".st-key-answer")).not_to_have_text(NONE_YET)
    draw_with_mouse(desktop, [second])
    expect_answer(desktop, 4)
    eventually(lambda: system.newest().revision == 2)
    assert system.drawings() == before + 1

    desktop.locator(".st-key-label-9 button").click()
    eventually(lambda: system.newest().true_label == 9)
    eventually(lambda: ink(desktop) == 0)
    desktop.locator(".st-key-label-4 button").click()  # a correction
    eventually(lambda: system.newest().true_label == 4)

    draw_with_mouse(desktop, DIGITS[1])
    expect_answer(desktop, 1)
    eventually(lambda: system.newest()[:3] == (1, None, 1))
    assert system.drawings() == before + 2


def test_undo_removes_one_stroke_and_clear_all(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[1])
    expect_answer(desktop, 1)
    one = ink(desktop)
    draw_with_mouse(desktop, [[(20, 90), (80, 90)]])
    eventually(lambda: system.newest().revision == 2)
    assert ink(desktop) > one
    desktop.locator(".st-key-undo button").click()
    eventually(lambda: ink(desktop) == one)
    eventually(lambda: system.newest()[:3] == (1, None, 3))
    expect_answer(desktop, 1)
    desktop.locator(".st-key-undo button").click()
    expect_empty(desktop)
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    clear(desktop)


def test_an_answer_does_not_move_the_page(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    places = [".st-key-canvas", ".st-key-answer", ".st-key-notice", ".st-key-bars", ".st-key-label-0"]
    before = {place: desktop.locator(place).bounding_box() for place in places}
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    assert {place: desktop.locator(place).bounding_box() for place in places} == before


def test_a_rejected_digit_is_reported(system: RunningSystem, desktop: Page, tmp_path):
    Image.new("L", (200, 200), 255).save(tmp_path / "blank.png")
    open_page(desktop, system.address)
    desktop.locator(".st-key-choose button").click()
    desktop.locator(".st-key-upload input[type=file]").set_input_files(tmp_path / "blank.png")
    expect(desktop.locator(".st-key-notice")).to_contain_text("Nothing is drawn here")
    expect(desktop.locator(".st-key-answer")).not_to_have_text(NONE_YET)
    expect(desktop.locator(".st-key-certainty")).to_contain_text("if it is a digit")


def test_why_shows_a_heat_map(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    desktop.locator(".st-key-why label").first.click()
    expect(desktop.locator(".st-key-explanation img")).to_have_count(2)
    expect(desktop.locator(".st-key-explanation")).to_contain_text("Blue: evidence for 7")


def test_an_upload_is_read(system: RunningSystem, desktop: Page, tmp_path):
    open_page(desktop, system.address)
    known = Image.open(f"{system.checkout}/training/known_digits/5.png").convert("RGB")
    known.resize((1800, 1800)).save(tmp_path / "five.bmp")  # 9.3 MiB, more than the model accepts
    (tmp_path / "no.png").write_bytes(b"not a picture")
    desktop.locator(".st-key-choose button").click()
    desktop.locator(".st-key-upload input[type=file]").set_input_files(tmp_path / "five.bmp")
    expect_answer(desktop, 5)
    expect(desktop.locator(".st-key-upload")).to_have_count(0)  # closed
    desktop.locator(".st-key-choose button").click()
    expect(desktop.locator(".st-key-upload input[type=file]")).to_have_count(1)
    desktop.locator(".st-key-upload input[type=file]").set_input_files(tmp_path / "no.png")
    expect(desktop.locator(".st-key-notice")).to_contain_text("not a readable picture")


def test_the_error_for_another_format_names_the_accepted_formats(system: RunningSystem, new_page, tmp_path):
    (tmp_path / "photo.heic").write_bytes(b"\x00\x00\x00\x18ftypheic")
    for width in (1280, 390):
        page = new_page(width=width, height=844)
        open_page(page, system.address)
        page.locator(".st-key-choose button").click()
        sentence = page.get_by_text("Choose a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file of at most 10 MB.")
        expect(sentence).to_be_hidden()
        page.locator(".st-key-upload input[type=file]").set_input_files(tmp_path / "photo.heic")
        expect(sentence).to_be_visible()
        box = sentence.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width


def test_the_picture_that_the_model_reads_is_scaled_down_and_stored(
    system: RunningSystem, desktop: Page, tmp_path
):
    pixels = np.random.default_rng(3).normal(190, 5, (1600, 1600, 3))
    known = Image.open(f"{system.checkout}/training/known_digits/5.png").convert("L").resize((1000, 1000))
    ink = np.asarray(known, float) / 255
    pixels[300:1300, 300:1300] -= 150 * (ink if ink[0, 0] < 0.5 else 1 - ink)[..., None]
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "five.jfif", "JPEG", quality=95)
    assert (tmp_path / "five.jfif").stat().st_size > 400_000
    open_page(desktop, system.address)
    before = system.drawings()
    desktop.locator(".st-key-choose button").click()
    desktop.locator(".st-key-upload input[type=file]").set_input_files(tmp_path / "five.jfif")
    expect_answer(desktop, 5)
    eventually(lambda: system.drawings() == before + 1)
    stored = system.newest().drawing
    assert len(stored) < 100_000
    assert Image.open(io.BytesIO(stored)).size == (1024, 1024)
    [(probabilities,)] = system.rows(
        "SELECT probabilities FROM predictions WHERE id = %s", system.newest().id
    )
    assert system.predict(stored).json()["probabilities"] == pytest.approx(probabilities, abs=1e-4)


def test_drawings_in_the_dark_theme_are_read(system: RunningSystem, new_page):
    page = new_page(width=1280, height=900, color_scheme="dark")
    open_page(page, system.address)
    draw_with_mouse(page, DIGITS[2])
    expect_answer(page, 2)


def test_a_theme_change_repaints_a_blank_canvas(system: RunningSystem, new_page):
    page = new_page(width=1280, height=900, color_scheme="light")
    open_page(page, system.address)
    page.emulate_media(color_scheme="dark")
    page.locator(".st-key-brush").get_by_text("Bold").click()
    draw_with_mouse(page, DIGITS[7])
    expect_answer(page, 7)
    picture = Image.open(io.BytesIO(system.newest().drawing)).convert("L")
    assert picture.getpixel((0, 0)) < 64
    assert picture.getextrema()[1] > 192


def test_a_theme_change_keeps_the_strokes_and_the_drawing(system: RunningSystem, new_page):
    page = new_page(width=1280, height=900)
    open_page(page, system.address)
    before = system.drawings()
    first, second = DIGITS[4]
    draw_with_mouse(page, [first])
    expect(page.locator(".st-key-answer")).not_to_have_text(NONE_YET)
    one = ink(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.st-key-canvas')).backgroundColor === 'rgb(22, 22, 22)'"
    )
    eventually(lambda: _paper(system) < 64)  # without a stroke or a click
    draw_with_mouse(page, [second])
    expect_answer(page, 4)
    page.locator(".st-key-undo button").click()
    eventually(lambda: ink(page) == pytest.approx(one, rel=0.02))
    eventually(lambda: system.drawings() == before + 1)


def _paper(system: RunningSystem) -> int:
    """The grey level of a corner of the newest drawing."""
    return int(Image.open(io.BytesIO(system.newest().drawing)).convert("L").getpixel((0, 0)))


def test_screen_readers_announce_answers_and_notices(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    for key in ("answer", "notice"):
        expect(desktop.locator(f".st-key-{key}")).to_have_attribute("aria-live", "polite")


def test_two_visitors_do_not_see_each_other(system: RunningSystem, new_page):
    one, other = new_page(width=1280, height=900), new_page(width=1280, height=900)
    open_page(one, system.address)
    open_page(other, system.address)
    draw_with_mouse(one, DIGITS[3])
    expect_answer(one, 3)
    draw_with_mouse(other, DIGITS[7])
    expect_answer(other, 7)
    expect_answer(one, 3)


def test_the_page_sends_no_external_request(system: RunningSystem, new_page):
    page = new_page(width=1280, height=900)
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    open_page(page, system.address)
    draw_with_mouse(page, DIGITS[0])
    expect_answer(page, 0)
    assert [url for url in requested if not url.startswith((system.address, "data:", "blob:"))] == []
