"""The page: from pen-up to the settled answer in Chromium, next to a bare page that only echoes the canvas.

Both pages are open in one browser and get the same stroke in turn, so that what else the machine does meets both.
Settled is the last change of what the page shows of the answer.
"""

import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import running
from benchmarks.drawings import canvases
from benchmarks.figures import median, percentile, ratio, shown
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from ops.system import ROOT, System
from ui.outbox import Outbox
from ui.record import Record

STROKES = 48
WARM_UP = 4  # strokes that do not count
STROKES_ON_A_SHEET = 8  # then both pages are loaded anew
TIMEOUT_MS = 20_000
# So long nothing of the answer may change before it counts as settled.
QUIET_MS = 400
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CANVAS = "canvas.upper-canvas"
KEPT = 200

# Listens for the next pen-up, and gives the milliseconds from there to the first and to the last change of the texts
# and pictures in the elements of `selector`.
WATCH = """
([selector, quiet]) => {
    window.benchmark = new Promise(resolve => {
        window.addEventListener('mouseup', () => {
            const start = performance.now()
            let first = null, last = null
            const observer = new MutationObserver(changes => {
                const of = change => (change.target.closest ?? (() => null)).call(change.target, selector)
                    ?? change.target.parentElement?.closest(selector)
                if (!changes.some(of)) return
                last = performance.now()
                first ??= last
            })
            observer.observe(document.body, {
                childList: true, characterData: true, subtree: true, attributes: true, attributeFilter: ['src', 'style']
            })
            const timer = setInterval(() => {
                if (last === null || performance.now() - last < quiet) return
                clearInterval(timer)
                observer.disconnect()
                resolve([first - start, last - start])
            }, 10)
        }, { capture: true, once: true })
    })
}
"""


@dataclass
class Contender:
    """A page, what on it shows the answer, and what was measured on it: milliseconds, a value a stroke."""

    name: str
    address: str
    answer: str
    page: Page
    first: list[float]
    settled: list[float]


def measure() -> Results:
    """Starts a system, the bare page and a browser, draws, and gives back the table."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        raise StartError("Chromium is not installed; Debian: apt-get install chromium")
    port = running.first_port(2 * running.PORTS) + running.PORTS
    with (
        running.system() as system,
        running.process(_bare_command(system, port), f"http://127.0.0.1:{port}/_stcore/health"),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        bare = _contender(browser, "bare page", f"http://127.0.0.1:{port}", ".st-key-echo")
        ours = _contender(browser, "our page", system.address, ".st-key-verdict, .st-key-bars")
        asked = _draw_on(bare, ours)
        browser.close()
        kept = _outbox_ms(system)
    return _results(bare, ours, asked, kept)


def _bare_command(system: System, port: int) -> list[str | Path]:
    streamlit = system.python("page").with_name("streamlit")
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    # The same settings of Streamlit's server as ours (ui/.streamlit/config.toml).
    options |= {"server.fileWatcherType": "none", "browser.gatherUsageStats": "false"}
    words = [f"--{name}={value}" for name, value in options.items()]
    return [streamlit, "run", ROOT / "benchmarks" / "bare_page.py", *words]


def _contender(browser: Browser, name: str, address: str, answer: str) -> Contender:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    return Contender(name, address, answer, page, [], [])


def _draw_on(bare: Contender, ours: Contender) -> list[float]:
    """Draw on both in turn; gives back how long our page says that it waited for the model."""
    asked = []
    for number in range(-WARM_UP, STROKES):
        for contender in (bare, ours) if number % 2 else (ours, bare):
            if (number + WARM_UP) % STROKES_ON_A_SHEET == 0:
                contender.page.goto(contender.address)
                contender.page.locator(CANVAS).wait_for()
            first, settled = _stroke(contender, (number + WARM_UP) % STROKES_ON_A_SHEET)
            if number >= 0:
                contender.first.append(first)
                contender.settled.append(settled)
        took = re.search(r"(\d+) ms", ours.page.locator(".st-key-certainty").inner_text())
        if number >= 0 and took:
            asked.append(float(took[1]))
        if (number + 1) % STROKES_ON_A_SHEET == 0 and number > 0:
            latest = [f"{one.name} {shown(median(one.settled))} ms" for one in (bare, ours)]
            say(f"{number + 1} of {STROKES} strokes: {', '.join(latest)}")
    return asked


def _stroke(contender: Contender, number: int) -> tuple[float, float]:
    """Draw a line, and wait; milliseconds to the first and to the last change of the answer."""
    page = contender.page
    box = page.locator(CANVAS).bounding_box()
    if box is None:
        raise StartError(f"{contender.name} has no canvas.")
    page.evaluate(WATCH, [contender.answer, QUIET_MS])
    left, top = box["x"] + 30 + 32 * number, box["y"] + 40
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + 12, top + 90, steps=5)
    page.mouse.move(left - 8, top + 220, steps=5)
    page.mouse.up()
    first, settled = page.evaluate("window.benchmark")
    return float(first), float(settled)


def _outbox_ms(system: System) -> list[float]:
    """What keeping an answer takes, on the disk that the system's outbox lies on."""
    drawings = canvases()
    took = []
    with tempfile.TemporaryDirectory(dir=system.state) as folder:
        outbox = Outbox(Path(folder) / "outbox.sqlite3")
        for number in range(KEPT):
            record = _record(drawings[number % len(drawings)])
            started = time.perf_counter()
            outbox.put(record)
            took.append((time.perf_counter() - started) * 1000)
        outbox.close()
    return took[1:]  # the first one creates the file


def _record(drawing: bytes) -> Record:
    content: dict[str, Any] = {
        "prediction": 7,
        "confidence": 0.99,
        "probabilities": [0.1] * 10,
        "is_digit": True,
    }
    content |= {"digit_score": 0.99, "model_version": "1.0", "latency_ms": 5.0}
    return Record(
        id=uuid.uuid4(),
        created_at=datetime.now(UTC),
        true_label=None,
        labelled_at=None,
        drawing=drawing,
        revision=1,
        **content,
    )


def _results(bare: Contender, ours: Contender, asked: Sequence[float], kept: Sequence[float]) -> Results:
    times: list[tuple[str, Sequence[float]]] = [
        (f"{one.name}: {what}", values)
        for one in (bare, ours)
        for what, values in (("first change", one.first), ("settled", one.settled))
    ]
    times.append(("of it, asking the model", asked))
    rows = [_row(name, values) for name, values in times]
    rows.append(_row("of it, keeping the answer on disk (outbox, timed alone)", kept))
    summary = (
        f"{STROKES} strokes on each page in turn, {STROKES_ON_A_SHEET} on a sheet, in one Chromium, after {WARM_UP} "
        "that do not count; milliseconds from pen-up. The bare page runs on the same Streamlit, uses the canvas as it "
        "comes, which waits 200 ms before it sends, and only echoes the size of the drawing. Settled is the last "
        "change of what shows the answer (digit, confidence, the model's input, bars; on the bare page the echo)."
    )
    times_bare = ratio(ours.settled, bare.settled)
    bars = Table(
        "The bar",
        ["", "measured", "bar"],
        [
            ["our page settled, of the bare page's, median of pairs (at most)", shown(times_bare), "0.35"],
            ["the same, of the medians", shown(median(ours.settled) / median(bare.settled)), ""],
        ],
    )
    table = Table("Pen-up to answer", ["", "p50 ms", "p99 ms", "n"], rows)
    numbers = {"times_bare": times_bare, "ms": dict(times), "outbox_ms": list(kept)}
    return Results("page", summary, [bars, table], numbers)


def _row(name: str, values: Sequence[float]) -> list[str]:
    return [name, shown(median(values)), shown(percentile(values, 99)), f"{len(values):,}"]
