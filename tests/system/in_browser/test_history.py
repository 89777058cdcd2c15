"""History and Insights in a real browser: visibility, labels, filters, exports, and the return to the drawing."""

import csv
import io
import os
import re
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from PIL import Image
from playwright.sync_api import Page, TimeoutError, expect

from fixtures.drawing import CANVAS, DIGITS, draw_with_mouse, expect_answer, ink, open_page
from fixtures.waiting import eventually
from ops.native import parts, supervisor
from tests.system.running import ROOT, RunningSystem, first_port, logs

PASSWORD = "eighteen horses, one wagon"  # noqa: S105


def _row(system: RunningSystem, drawing_id: str):
    [row] = system.rows("SELECT prediction, true_label, revision FROM predictions WHERE id = %s", drawing_id)
    return row


def _draw(system: RunningSystem, page: Page, digit: int) -> str:
    """Draw a digit; returns the id of its row."""
    before = system.drawings()
    draw_with_mouse(page, DIGITS[digit])
    expect_answer(page, digit)
    eventually(lambda: system.drawings() == before + 1)
    return str(system.newest().id)


def _go(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).click()
    expect(page.locator("h1.title")).to_have_text("Draw a digit" if name == "Draw" else name)
    if name == "Draw":
        page.locator(CANVAS).wait_for()
    _settle(page)


def _insert(system: RunningSystem, count: int, **changes) -> list[str]:
    """Insert rows of 2001, one minute apart; returns their ids, newest first."""
    values = {
        "model_version": "0.9",
        "drawing": (ROOT / "training/known_digits/7.png").read_bytes(),
        **changes,
    }
    if "true_label" in changes:
        values["labelled_at"] = datetime.now(UTC)
    newest = datetime(2001, 2, 3, 12, tzinfo=UTC)
    return [
        str(system.insert(created_at=newest - timedelta(minutes=minutes), **values))
        for minutes in range(count)
    ]


def _ids(page: Page) -> list[str]:
    return page.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.id)")


def _settle(page: Page) -> None:
    """Wait for the end of Streamlit's run."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")


def _pick(page: Page, key: str, option: str) -> None:
    """Choose an option of a select box, and repeat it if a run of the page has closed the box."""

    def pick() -> bool:
        _settle(page)
        page.locator(f".st-key-{key} input").click()
        try:
            page.get_by_role("option", name=option, exact=True).click(timeout=2000)
        except TimeoutError:
            return False
        return True

    eventually(pick)


def _opens_sign_in(page: Page) -> bool:
    """Open the form; False if a run closed it."""
    _settle(page)
    page.locator(".st-key-sign-in button").first.click()
    try:
        page.locator(".st-key-password input").wait_for(timeout=3000)
    except TimeoutError:
        return False
    return True


@pytest.fixture
def visitor_address(system: RunningSystem) -> str:
    """This machine by a name that is not localhost, so that a visitor is not local."""
    return system.address.replace("127.0.0.1", "somewhere.localhost")


def test_history_shows_drawings_and_corrects_labels(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    first = _draw(system, desktop, 3)
    desktop.locator(".st-key-clear button").click()
    second = _draw(system, desktop, 7)
    _go(desktop, "History")
    expect(desktop.locator(".card").first).to_be_visible()
    assert _ids(desktop)[:2] == [second, first]
    card = desktop.locator(f'.card[data-id="{first}"]')
    expect(card).to_contain_text("not labelled")
    assert card.locator("img").evaluate("img => img.naturalWidth") == 112

    card.click()
    expect(desktop.locator(".st-key-detail .read")).to_have_text("3")
    desktop.locator(".st-key-correct-5 button").click()
    expect(card).to_contain_text("is a 5")
    eventually(lambda: _row(system, first) == (3, 5, 2))
    desktop.locator(".st-key-correct-3 button").click()  # a correction
    expect(card).to_contain_text("right")
    eventually(lambda: _row(system, first) == (3, 3, 3))


def test_the_drawing_continues_after_a_visit_to_history(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    before = system.drawings()
    desktop.locator(".st-key-brush button", has_text="Bold").click()
    # A stroke during a brush change would lose its beginning. After the return the canvas has the brush.
    _go(desktop, "History")
    _go(desktop, "Draw")
    first, second = DIGITS[4]
    draw_with_mouse(desktop, [first])
    expect(desktop.locator(".st-key-confidence")).to_have_text(re.compile("%"))
    eventually(lambda: system.drawings() == before + 1)
    drawing_id, drawn = str(system.newest().id), ink(desktop)
    _go(desktop, "History")
    expect(desktop.locator(".card").first).to_have_attribute("data-id", drawing_id)
    _go(desktop, "Draw")
    eventually(lambda: ink(desktop) == drawn)
    expect(desktop.locator(".st-key-confidence")).to_have_text(re.compile("%"))
    assert _row(system, drawing_id)[2] == 1  # not read again
    draw_with_mouse(desktop, [second])
    expect_answer(desktop, 4)
    eventually(lambda: _row(system, drawing_id) == (4, None, 2))
    assert system.drawings() == before + 1
    for shown in (drawn, 0):  # undo the stroke after the visit, then the one before it
        desktop.locator(".st-key-undo button").click()
        eventually(lambda shown=shown: ink(desktop) == shown)


def test_a_stroke_directly_before_leaving_is_answered_and_shown_on_return(
    system: RunningSystem, desktop: Page
):
    open_page(desktop, system.address)
    before = system.drawings()
    draw_with_mouse(desktop, DIGITS[7])
    _go(desktop, "History")
    eventually(lambda: system.drawings() == before + 1)
    _go(desktop, "Draw")
    expect_answer(desktop, 7)
    eventually(lambda: ink(desktop) > 0)


def test_a_link_that_streamlit_forgets_is_followed_after_the_next_run(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    desktop.get_by_role("link", name="History").evaluate(
        """(link) => link.addEventListener('click', (event) => {
            event.stopPropagation()
            event.preventDefault()
            document.body.dataset.forgotten = 'true'
        }, { once: true })"""
    )
    desktop.get_by_role("link", name="History").click()
    # On a busy machine the next run may have started already, so the shown page proves nothing.
    expect(desktop.locator("body")).to_have_attribute("data-forgotten", "true")
    desktop.evaluate(
        """() => {
            for (const state of ['running', 'notRunning'])
                document.querySelector('.stApp').setAttribute('data-test-script-state', state)
        }"""
    )
    expect(desktop.locator("h1.title")).to_have_text("History")


def test_a_label_of_history_closes_the_current_drawing(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)
    drawing_id = _draw(system, desktop, 7)
    _go(desktop, "History")
    desktop.locator(f'.card[data-id="{drawing_id}"]').click()
    desktop.locator(".st-key-correct-7 button").click()
    expect(desktop.locator(f'.card[data-id="{drawing_id}"]')).to_contain_text("right")
    _go(desktop, "Draw")
    expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 7")
    eventually(lambda: ink(desktop) == 0)
    other = _draw(system, desktop, 3)
    assert other != drawing_id
    assert _row(system, drawing_id) == (7, 7, 2)


def test_a_label_of_another_browser_closes_the_drawing(system: RunningSystem, new_page):
    one, other = new_page(width=1280, height=900), new_page(width=1280, height=900)
    open_page(one, system.address)
    drawing_id = _draw(system, one, 7)
    other.goto(f"{system.operators_address}/history")
    other.locator(f'.card[data-id="{drawing_id}"]').click()
    other.locator(".st-key-correct-1 button").click()
    eventually(lambda: _row(system, drawing_id) == (7, 1, 2))
    one.locator(".st-key-label-7 button").click()
    eventually(lambda: _row(system, drawing_id) == (7, 7, 3))  # the newer label counts


def test_a_visitor_sees_the_drawings_of_the_session(system: RunningSystem, new_page, visitor_address):
    page, other = new_page(width=390, height=844), new_page(width=1280, height=900)
    open_page(other, system.address)
    somebodys = _draw(system, other, 3)
    open_page(page, visitor_address)
    _go(page, "History")
    expect(page.locator(".empty")).to_contain_text("No drawings yet")
    _go(page, "Draw")
    own = _draw(system, page, 7)
    _go(page, "History")
    expect(page.locator(".card")).to_have_count(1)
    assert _ids(page) == [own] != [somebodys]
    for key in ("filters", "downloads"):
        expect(page.locator(f".st-key-{key}")).to_have_count(0)
    expect(page.get_by_role("link", name="Insights")).to_have_count(0)
    page.locator(".card").click()
    page.locator(".st-key-correct-1 button").click()
    eventually(lambda: _row(system, own) == (7, 1, 2))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.goto(f"{visitor_address}/insights")
    expect(page.locator(".st-key-answer")).to_be_visible()
    expect(page.locator(".st-key-charts")).to_have_count(0)


def test_a_visitor_keeps_the_drawings_after_a_reload_and_a_restart(
    system: RunningSystem, new_page, visitor_address
):
    page = new_page(width=1280, height=900)
    open_page(page, visitor_address)
    own = _draw(system, page, 7)
    page.reload()
    page.locator(CANVAS).wait_for()
    _go(page, "History")
    expect(page.locator(".card")).to_have_count(1)
    assert _ids(page) == [own]
    page.locator(".card").click()
    page.locator(".st-key-correct-1 button").click()
    eventually(lambda: _row(system, own) == (7, 1, 2))

    with supervisor.remote(system.system) as remote:
        remote.stopProcess("page")
        remote.startProcess("page")
    eventually(lambda: requests.get(f"{system.address}/_stcore/health", timeout=5).ok)
    page.goto(f"{visitor_address}/history")
    expect(page.locator(".card")).to_have_count(1)
    assert _ids(page) == [own]

    other = new_page(width=1280, height=900)
    other.goto(f"{visitor_address}/history")
    expect(other.locator(".empty")).to_contain_text("No drawings yet")
    [cookie] = [cookie for cookie in page.context.cookies() if cookie["name"] == "visitor"]
    assert (cookie["expires"], cookie["sameSite"]) == (
        -1,
        "Strict",
    )  # a session cookie, not sent to other sites
    assert cookie["value"] not in logs(system.system)


def test_address_headers_of_a_client_are_ignored(system: RunningSystem, new_page, visitor_address):
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Host": "localhost"}
    page = new_page(width=1280, height=900, extra_http_headers=claims)
    page.goto(f"{visitor_address}/history")
    expect(page.locator(".empty")).to_contain_text("No drawings yet")
    claims = {"X-Forwarded-For": "203.0.113.7"}
    page = new_page(width=1280, height=900, extra_http_headers=claims)
    page.goto(f"{system.operators_address}/history")
    expect(page.locator(".st-key-filters")).to_be_visible()


def test_an_operator_turns_pages_filters_and_exports(system: RunningSystem, desktop: Page):
    ids = _insert(system, 55)
    wrong = _insert(system, 2, true_label=1, prediction=7, is_digit=False)
    [other] = _insert(system, 1, model_version="0.6")
    desktop.goto(f"{system.operators_address}/history")
    expect(desktop.locator(f'.card[data-id="{other}"]')).to_have_count(1)
    _pick(desktop, "filter-version", "0.9")
    expect(desktop.locator(f'.card[data-id="{other}"]')).to_have_count(0)
    expect(desktop.locator(".card")).to_have_count(50)
    shown = _ids(desktop)
    desktop.locator(".st-key-older button").click()
    expect(desktop.locator(".card")).to_have_count(7)
    assert sorted([*shown, *_ids(desktop)]) == sorted([*ids, *wrong])  # each once
    expect(desktop.locator(".st-key-older button")).to_be_disabled()
    desktop.locator(".st-key-newer button").click()
    expect(desktop.locator(".card")).to_have_count(50)
    assert _ids(desktop) == shown

    desktop.locator(".st-key-filter-labels button", has_text="Wrong").click()
    expect(desktop.locator(".card")).to_have_count(2)
    assert _ids(desktop) == wrong
    _settle(desktop)  # the download buttons come last
    with desktop.expect_download() as download:
        desktop.locator(".st-key-download-table button").click()
    table = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert [(row["id"], row["true_label"]) for row in table] == [(drawing_id, "1") for drawing_id in wrong]
    with desktop.expect_download() as download:
        desktop.locator(".st-key-download-pictures button").click()
    with zipfile.ZipFile(download.value.path()) as pictures:
        assert [name.split("_")[:3] for name in pictures.namelist()] == [
            ["20010203T120000", "read-7", "label-1"],
            ["20010203T115900", "read-7", "label-1"],
        ]
        assert Image.open(io.BytesIO(pictures.read(pictures.namelist()[0]))).format == "PNG"


def test_a_drawing_is_chosen_and_labelled_by_keyboard(system: RunningSystem, desktop: Page):
    first, second = _insert(system, 2, model_version="0.8")
    desktop.goto(f"{system.operators_address}/history")
    _pick(desktop, "filter-version", "0.8")
    expect(desktop.locator(".card")).to_have_count(2)
    desktop.locator(f'.card[data-id="{first}"]').focus()
    desktop.keyboard.press("ArrowRight")
    desktop.keyboard.press("Enter")
    expect(desktop.locator(f'.card[data-id="{second}"]')).to_have_attribute("aria-selected", "true")
    desktop.locator(".st-key-correct-7 button").wait_for()
    for _ in range(20):
        desktop.keyboard.press("Tab")
        if desktop.evaluate("document.activeElement.closest('.st-key-correct-7') !== null"):
            break
    desktop.keyboard.press("Enter")
    eventually(lambda: _row(system, second) == (7, 7, 2))
    assert _row(system, first) == (7, None, 1)


def test_arrow_keys_move_the_focus_to_the_cards_beside_above_and_below(system: RunningSystem, desktop: Page):
    ids = _insert(system, 12, model_version="0.4")
    desktop.goto(f"{system.operators_address}/history")
    _pick(desktop, "filter-version", "0.4")
    cards = desktop.locator(".card")
    expect(cards).to_have_count(len(ids))
    tops = cards.evaluate_all("cards => cards.map(card => card.offsetTop)")
    columns = tops.count(tops[0])
    assert 1 < columns < len(ids)
    cards.first.focus()
    keys = {
        "ArrowDown": columns,
        "ArrowRight": columns + 1,
        "ArrowUp": 1,
        "ArrowLeft": 0,
        "End": -1,
        "Home": 0,
    }
    for key, focused in keys.items():
        desktop.keyboard.press(key)
        expect(desktop.locator(f'.card[data-id="{ids[focused]}"]')).to_be_focused()


def test_a_label_that_arrives_during_a_click_on_another_card_does_not_cancel_the_click(
    system: RunningSystem, desktop: Page
):
    first, second = (f'.card[data-id="{id_}"]' for id_ in _insert(system, 2, model_version="0.5"))
    desktop.goto(f"{system.operators_address}/history")
    _pick(desktop, "filter-version", "0.5")
    expect(desktop.locator(".card")).to_have_count(2)
    desktop.locator(first).click()
    label = desktop.locator(".st-key-correct-7 button")
    label.wait_for()
    desktop.locator(second).hover()
    desktop.mouse.down()
    label.evaluate("button => button.click()")
    expect(desktop.locator(first)).to_contain_text("right")
    desktop.mouse.up()
    expect(desktop.locator(second)).to_have_attribute("aria-selected", "true")
    expect(desktop.locator(".st-key-detail .question")).to_have_text("Right? If not, which digit is it?")


def test_insights_show_charts_of_the_stored_drawings(system: RunningSystem, desktop: Page):
    _insert(system, 3, model_version="0.7", true_label=7)
    _insert(system, 1, model_version="0.7", true_label=1)
    desktop.goto(f"{system.operators_address}/history")
    _go(desktop, "Insights")
    desktop.locator(".st-key-period button", has_text="All").click()
    _pick(desktop, "insights-version", "0.7")
    expect(desktop.locator(".number").nth(1)).to_contain_text("75.0%")
    expect(desktop.locator(".number").nth(1)).to_contain_text("30.1% to 95.4%, of 4 labelled")
    for chart in ("by-day", "accuracy", "confusion", "confidence", "latency"):
        expect(desktop.locator(f".st-key-chart-{chart}").locator("canvas, svg.marks")).to_be_visible()


def test_history_reports_an_unavailable_database_and_drawing_still_works(
    system: RunningSystem, desktop: Page
):
    open_page(desktop, system.address)
    _draw(system, desktop, 7)
    with supervisor.remote(system.system) as remote:
        remote.stopProcess("postgres")
    try:
        _go(desktop, "History")
        expect(desktop.locator(".empty")).to_contain_text("Database unavailable: drawings cannot be shown")
        expect(desktop.locator("[data-testid=stException]")).to_have_count(0)
        _go(desktop, "Insights")
        expect(desktop.locator(".empty")).to_contain_text("Database unavailable: no statistics to show")
        _go(desktop, "Draw")
        expect_answer(desktop, 7)
        desktop.locator(".st-key-clear button").click()
        draw_with_mouse(desktop, DIGITS[3])
        expect_answer(desktop, 3)
    finally:
        with supervisor.remote(system.system) as remote:
            remote.startProcess("postgres")
    _go(desktop, "History")

    def comes_back() -> bool:
        if not desktop.locator(".card").count():
            desktop.locator(".st-key-newest button").click()
            desktop.locator(".card").first.wait_for()
        return True

    eventually(comes_back)
    expect(desktop.locator(".card").first).to_contain_text("3")


@pytest.fixture
def with_password(system: RunningSystem):
    """The address of a second page with a password, on the same outbox and database."""
    place = f"127.0.0.1:{first_port(1)}"
    page = next(part for part in parts.PARTS if part.name == "page")
    *command, _ = page.command(system.system)  # the last word is its address
    environment = {**os.environ, **page.environment(system.system), "OPERATOR_PASSWORD": PASSWORD}
    with subprocess.Popen([*command, place], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        address = f"http://{place}"
        eventually(lambda: requests.get(f"{address}/_stcore/health", timeout=5).ok)
        yield address
        process.kill()  # SIGTERM would wait for the browser


def test_with_a_password_only_its_owner_is_an_operator(system: RunningSystem, new_page, with_password):
    _insert(system, 1)
    page = new_page(width=1280, height=900)
    page.goto(f"{with_password}/history")
    expect(page.locator(".empty")).to_contain_text("No drawings yet")
    eventually(lambda: _opens_sign_in(page))
    for password, message in (("a guess", "Wrong password."), (PASSWORD, "")):
        page.locator(".st-key-password input").fill(password)
        page.locator(".st-key-enter button").click()
        if message:
            expect(page.locator(".refused")).to_have_text(message)
    expect(page.locator(".st-key-filters")).to_be_visible()
    expect(page.locator(".card").first).to_be_visible()
    page.locator(".st-key-sign-out button").click()
    expect(page.locator(".empty")).to_contain_text("No drawings yet")
