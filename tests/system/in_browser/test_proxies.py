"""The page behind another web server, configured as in docs/operations.md, and its message behind a wrong one."""

import re
from pathlib import Path

import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from fixtures.drawing import CANVAS, DIGITS, draw_with_mouse, expect_answer, open_page
from tests.documents import NOT_RUN, ROOT, Block, anchors, blocks
from tests.system import proxies
from tests.system.running import RunningSystem

MANUAL = ROOT / "docs" / "operations.md"
RUN = [
    pytest.param(
        language,
        block,
        id=f"{language} {block.number}",
        # Each time nginx below a path, where more can go wrong than at the root.
        marks=[] if language == "nginx" and "/mnist/" in block.commands else [pytest.mark.slow],
    )
    for language in ("nginx", "caddy", "apache")
    for block in blocks(MANUAL, language)
]
NGINX = blocks(MANUAL, "nginx")[0].commands
FAULT = ".connection-fault"


@pytest.fixture(autouse=True)
def plain_http(system: RunningSystem) -> None:
    """Skip for a remote system. The blocks need a gateway with HTTP; in containers it has only HTTPS."""
    assert system.system  # skips the test for a remote system


@pytest.mark.parametrize(("language", "block"), RUN)
def test_a_digit_is_drawn_through_a_proxy(
    system: RunningSystem, desktop: Page, tmp_path: Path, language: str, block: Block
):
    with proxies.start_proxy(language, block.commands, system.address, tmp_path) as address:
        below = address + ("/mnist" if "/mnist" in block.commands else "")
        open_page(desktop, below)
        draw_with_mouse(desktop, DIGITS[7])
        expect_answer(desktop, 7)
        desktop.locator(".st-key-yes button").click()
        expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 7")

        desktop.get_by_role("link", name="History").click()
        expect(desktop.locator("h1")).to_have_text("History")
        expect(desktop).to_have_url(f"{below}/history")
        desktop.reload()
        expect(desktop.locator("h1")).to_have_text("History")
        desktop.get_by_role("link", name="Draw").click()
        desktop.locator(CANVAS).wait_for()

        known = Image.open(f"{system.checkout}/training/known_digits/5.png").convert("RGB")
        known.resize((1800, 1800)).save(tmp_path / "five.bmp")  # 9.3 MiB
        desktop.locator(".st-key-choose button").click()
        desktop.locator(".st-key-upload input[type=file]").set_input_files(tmp_path / "five.bmp")
        expect_answer(desktop, 5)

        picture = Path(f"{system.checkout}/training/known_digits/7.png").read_bytes()
        answer = requests.post(f"{below}/predictions/mnist", data=picture, timeout=30)
        assert answer.json()["digit"] == 7


def test_the_manual_gives_the_reason_why_traefiks_blocks_are_not_run():
    of_traefik = [block for block in blocks(MANUAL, "yaml") if "routers" in block.commands]
    assert [block.comment.startswith(NOT_RUN) for block in of_traefik] == [True, True]


HOST, UPGRADE = "changes the header Host", "does not pass on the headers Upgrade and Connection"
BROKEN = {
    "no Upgrade": (r".*proxy_set_header (Upgrade|Connection).*\n", "", UPGRADE),
    "Host rewritten": (r".*proxy_set_header Host.*\n", "", HOST),
    "Host without its port": (r"\$http_host", "$host", HOST),
}


@pytest.mark.parametrize(
    "fault",
    ["no Upgrade", *(pytest.param(fault, marks=pytest.mark.slow) for fault in list(BROKEN)[1:])],
)
def test_the_page_reports_why_its_websocket_does_not_open(
    system: RunningSystem, desktop: Page, tmp_path: Path, fault: str
):
    right, wrong, sentence = BROKEN[fault]
    block, replaced = re.subn(right, wrong, NGINX)
    assert replaced
    with proxies.start_proxy("nginx", block, system.address, tmp_path) as address:
        desktop.goto(address)
        expect(desktop.locator(FAULT)).to_contain_text(sentence)
        expect(desktop.locator(FAULT)).to_contain_text("See docs/operations.md, section Reverse proxies.")
    assert "reverse-proxies" in anchors(MANUAL)


@pytest.mark.slow
def test_the_message_disappears_when_the_page_connects(system: RunningSystem, browser: Browser):
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    # Until `mayOpen`, as behind a proxy without WebSockets.
    page.add_init_script(
        """const Real = WebSocket
        window.WebSocket = function (address, protocols) {
            return new Real(window.mayOpen ? address : new URL('/openapi.json', address), protocols)
        }"""
    )
    page.goto(system.address)
    expect(page.locator(FAULT)).to_contain_text(UPGRADE)
    page.evaluate("window.mayOpen = true")
    expect(page.locator(".st-key-answer")).to_be_visible()
    expect(page.locator(FAULT)).to_have_count(0)
    context.close()
