"""The page while a part is unavailable or killed: no drawing is lost or stored twice."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from playwright.sync_api import Page, expect

from fixtures import victims
from fixtures.drawing import DIGITS, clear, draw_with_mouse, expect_answer, ink, open_page
from fixtures.waiting import eventually
from ops.native import supervisor
from tests.documents import ROOT, blocks
from tests.system import proxies
from tests.system.running import RunningSystem
from ui.session import DATABASE_UNAVAILABLE

RECOVERY_S = 90.0
# Processes of a part whose kill as a whole is tested each time, and the exporter, which no drawing passes.
SLOW = {"a connection of postgres", "torchserve's JVM", "exporter", "gateway's worker"}


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(victim, marks=[pytest.mark.slow] if victim in SLOW else [])
        for victim in victims.PROCESS_IDS
    ],
)
def test_a_process_killed_during_a_drawing_loses_nothing(own_system: RunningSystem, desktop: Page, victim):
    before = own_system.drawings()
    first, second = DIGITS[4]
    open_page(desktop, own_system.address)
    draw_with_mouse(desktop, [first])
    expect(desktop.locator(".st-key-confidence")).to_contain_text("%")
    killed = victims.PROCESS_IDS[victim](own_system.system)
    # A killed controller leaves a JVM, a killed nginx its worker. They answer until the new process has ended them.
    left = [child for pid in killed for child in psutil.Process(pid).children(recursive=True)]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    draw_with_mouse(desktop, [second])
    # Without a click.
    eventually(lambda: _reads(desktop, 4), timeout_s=RECOVERY_S)
    assert psutil.wait_procs(left, timeout=RECOVERY_S)[1] == []
    eventually(lambda: own_system.ops("status").returncode == 0, timeout_s=RECOVERY_S)
    desktop.locator(".st-key-yes button").click()
    expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 4")
    eventually(
        lambda: (
            own_system.rows(
                "SELECT prediction, true_label FROM predictions ORDER BY created_at DESC LIMIT %s",
                own_system.drawings() - before,
            )
            == [(4, 4)]
        ),
    )
    assert "Traceback" not in desktop.locator("body").inner_text()


def _reads(page: Page, digit: int) -> bool:
    return page.locator(".st-key-answer").inner_text().strip() == str(digit)


def test_a_stroke_during_the_restart_of_the_page_is_read(own_system: RunningSystem, desktop: Page):
    open_page(desktop, own_system.address)
    connected = '[data-test-connection-state="CONNECTED"]'
    for digit, pause_ms in ((7, 0), (3, 150), (4, 400)):
        for pid in victims.PROCESS_IDS["page"](own_system.system):
            os.kill(pid, signal.SIGKILL)
        desktop.locator(f".stApp:not({connected})").wait_for()
        desktop.locator(f".stApp{connected}").wait_for(timeout=RECOVERY_S * 1000)
        desktop.wait_for_timeout(pause_ms)
        draw_with_mouse(desktop, DIGITS[digit])
        expect_answer(desktop, digit)
        clear(desktop)


def test_a_first_stroke_is_read_by_a_page_that_restarts_slowly(own_system: RunningSystem, desktop: Page):
    """A restarted server drops what arrives before its first run, so the browser must send the stroke again."""
    open_page(desktop, own_system.address)
    stopped: list[int] = []

    def stop() -> None:
        for pid in victims.PROCESS_IDS["page"](own_system.system):
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)

    desktop.expose_function("stopPage", stop)
    desktop.evaluate("document.addEventListener('connected', () => window.stopPage(), { once: true })")
    with _stop(own_system, "page"):
        expect(desktop.locator(".st-key-notice")).to_contain_text("Page server unavailable")
        draw_with_mouse(desktop, DIGITS[7])
    eventually(lambda: desktop.title() and stopped, timeout_s=RECOVERY_S)
    desktop.wait_for_timeout(3000)  # longer than RESEND_AFTER_MS in pad.js
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: _reads(desktop, 7), timeout_s=RECOVERY_S)


def test_strokes_are_read_after_history_and_a_restart_of_the_page(own_system: RunningSystem, desktop: Page):
    open_page(desktop, own_system.address)
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    # The last run was of the whole page. After such a run, Streamlit itself requests none when the server restarts.
    desktop.get_by_role("link", name="History").click()
    desktop.locator("h1", has_text="History").wait_for()
    desktop.get_by_role("link", name="Draw").click()
    expect_answer(desktop, 7)
    for pid in victims.PROCESS_IDS["page"](own_system.system):
        os.kill(pid, signal.SIGKILL)
    connected = '[data-test-connection-state="CONNECTED"]'
    desktop.locator(f".stApp:not({connected})").wait_for()
    desktop.locator(f".stApp{connected}").wait_for(timeout=RECOVERY_S * 1000)
    clear(desktop)
    draw_with_mouse(desktop, DIGITS[3])
    expect_answer(desktop, 3)


def test_a_label_is_corrected_during_the_restart_of_the_page(own_system: RunningSystem, desktop: Page):
    open_page(desktop, own_system.address)
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    desktop.locator(".st-key-label-1 button").click()
    expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 1")
    eventually(lambda: own_system.newest()[:2] == (7, 1))
    # Streamlit disables all buttons without a connection. The restarted page shows no answer.
    desktop.evaluate(
        """() => document.addEventListener('connected', () => {
            const click = () => {
                const button = document.querySelector('.st-key-label-7 button:enabled')
                if (button) button.click(); else requestAnimationFrame(click)
            }
            click()
        })"""
    )
    for pid in victims.PROCESS_IDS["page"](own_system.system):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: own_system.newest()[:2] == (7, 7), timeout_s=RECOVERY_S)


def test_a_disconnect_within_one_task_of_the_browser_is_noticed(system: RunningSystem, desktop: Page):
    """A stroke may be lost during the disconnect, so the page requests a run, which sends it again."""
    sent: list[str | bytes] = []

    def keep(frame: str | bytes) -> None:
        sent.append(frame)

    desktop.on("websocket", lambda socket: socket.on("framesent", keep))
    open_page(desktop, system.address)
    sent.clear()

    def requests_run() -> bool:
        desktop.title()  # Playwright reports frames during its calls
        return any(b"connected" in frame for frame in sent if isinstance(frame, bytes))

    assert not requests_run()
    desktop.evaluate(
        """() => {
            for (const state of ['PINGING_SERVER', 'CONNECTED'])
                document.querySelector('.stApp').setAttribute('data-test-connection-state', state)
        }"""
    )
    eventually(requests_run)


@contextmanager
def _stop(system: RunningSystem, part: str) -> Iterator[None]:
    with supervisor.remote(system.system) as remote:
        remote.stopProcess(part)
    try:
        yield
    finally:
        with supervisor.remote(system.system) as remote:
            remote.startProcess(part)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("page", "Page server unavailable: your drawing is kept"),
        ("gateway", "Gateway unavailable: your drawing is kept"),
        ("torchserve", "Model server unavailable: your drawing is read when it is back"),
    ],
)
def test_the_page_names_the_unavailable_part_and_reads_the_drawing_later(
    own_system: RunningSystem, desktop: Page, part, sentence
):
    open_page(desktop, own_system.address)
    with _stop(own_system, part):
        if part == "torchserve":
            draw_with_mouse(desktop, DIGITS[7])
            expect(desktop.locator(".st-key-notice")).to_contain_text(sentence)
        else:  # reported without a stroke
            expect(desktop.locator(".st-key-notice")).to_contain_text(sentence)
            draw_with_mouse(desktop, DIGITS[7])
        assert own_system.ops("status").returncode == 1  # `make status` reports it, too
        drawn = ink(desktop)
        assert drawn > 0
    eventually(lambda: _reads(desktop, 7), timeout_s=RECOVERY_S)
    eventually(lambda: ink(desktop) == drawn)
    expect(desktop.locator(".st-key-notice")).to_have_text("")


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("page", "Page server unavailable"),
        pytest.param("gateway", "Gateway unavailable", marks=pytest.mark.slow),
    ],
)
def test_the_page_names_the_unavailable_part_under_a_path_of_a_proxy(
    own_system: RunningSystem, desktop: Page, tmp_path: Path, part: str, sentence: str
):
    [block] = [
        block for block in blocks(ROOT / "docs" / "operations.md", "nginx") if "/mnist/" in block.commands
    ]
    with proxies.start_proxy("nginx", block.commands, own_system.address, tmp_path) as address:
        open_page(desktop, f"{address}/mnist/")
        with _stop(own_system, part):
            expect(desktop.locator(".st-key-notice")).to_contain_text(sentence)
        expect(desktop.locator(".st-key-notice")).to_have_text("")


@pytest.mark.parametrize("part", ["postgres", "deliverer"])
def test_answers_and_labels_arrive_after_an_outage_of_the_database(
    own_system: RunningSystem, desktop: Page, part
):
    open_page(desktop, own_system.address)
    sixes = "SELECT count(*) FROM predictions WHERE (prediction, true_label) = (6, 6)"
    [(before,)] = own_system.rows(sixes)
    with _stop(own_system, part):
        draw_with_mouse(desktop, DIGITS[6])
        expect_answer(desktop, 6)
        desktop.locator(".st-key-yes button").click()
        expect(desktop.locator(".st-key-question")).to_contain_text("Noted: a 6")
        eventually(lambda: _scribble_and_find_notice(desktop))
        assert own_system.ops("status").returncode == 1
    eventually(lambda: own_system.ops("status").returncode == 0, timeout_s=RECOVERY_S)
    eventually(lambda: own_system.rows(sixes) == [(before + 1,)])
    clear(desktop)
    expect(desktop.locator(".st-key-notice")).to_have_text("")


def _scribble_and_find_notice(page: Page) -> bool:
    clear(page)
    draw_with_mouse(page, DIGITS[1])
    expect_answer(page, 1)
    return page.locator(".st-key-notice").inner_text().strip() == DATABASE_UNAVAILABLE


def test_a_database_without_answers_blocks_nobody(own_system: RunningSystem, desktop: Page):
    open_page(desktop, own_system.address)
    before = own_system.drawings()
    with psycopg.connect(own_system.database) as locked:
        locked.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        for digit in (7, 3):
            draw_with_mouse(desktop, DIGITS[digit])
            expect_answer(desktop, digit)
            clear(desktop)
        locked.rollback()
    eventually(lambda: own_system.drawings() == before + 2)


def test_a_request_to_a_model_without_answers_times_out_and_is_retried(
    own_system: RunningSystem, desktop: Page
):
    open_page(desktop, own_system.address)
    workers = [psutil.Process(pid) for pid in victims.workers(own_system.system)]
    for worker in workers:
        worker.suspend()
    try:
        draw_with_mouse(desktop, DIGITS[7])
        expect(desktop.locator(".st-key-notice")).to_contain_text("Model server unavailable")
    finally:
        for worker in workers:
            worker.resume()
    eventually(lambda: _reads(desktop, 7), timeout_s=RECOVERY_S)
