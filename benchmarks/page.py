"""The page: time from pen-up to the settled answer in Chromium, next to a minimal page with a canvas.

Both pages are open in one browser and get the same stroke in turn, so that other load affects both. An answer is
settled at the last change of the elements that show it.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks import running
from benchmarks.figures import format_number, median, ratio, summarize, time_each
from benchmarks.records import make_record
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from fixtures.canvas_png import canvases
from ops.system import ROOT, System
from ui.outbox import Outbox

STROKES = 48
WARM_UP = 4  # strokes that do not count
STROKES_PER_LOAD = 8  # then both pages are reloaded
TIMEOUT_MS = 20_000
# The answer is settled after this time without a change.
QUIET_MS = 400
CANVAS = "canvas.upper-canvas"
STORED = 200

# Waits for the next pen-up; resolves to the milliseconds until the first and the last change of texts and pictures in
# the elements of `selector`.
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
    """A page, the selector of its answer, and the milliseconds of each stroke."""

    name: str
    address: str
    answer: str
    page: Page
    first: list[float]
    settled: list[float]


def measure() -> Results:
    """Start a system, the bare page and a browser, draw, and return the tables."""
    port = running.first_port(2 * running.PORTS) + running.PORTS
    with (
        running.system() as system,
        running.process(_bare_command(system, port), f"http://127.0.0.1:{port}/_stcore/health"),
        running.chromium() as browser,
    ):
        bare = _contender(browser, "bare page", f"http://127.0.0.1:{port}", ".st-key-echo")
        ours = _contender(browser, "our page", system.address, ".st-key-verdict, .st-key-bars")
        asked = _draw_on(bare, ours)
        stored = _outbox_ms(system)
    return _results(bare, ours, asked, stored)


def _bare_command(system: System, port: int) -> list[str | Path]:
    streamlit = system.python("page").with_name("streamlit")
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    # The server settings of our page (ui/.streamlit/config.toml).
    options |= {"server.fileWatcherType": "none", "browser.gatherUsageStats": "false"}
    words = [f"--{name}={value}" for name, value in options.items()]
    return [streamlit, "run", ROOT / "benchmarks" / "bare_page.py", *words]


def _contender(browser: Browser, name: str, address: str, answer: str) -> Contender:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(TIMEOUT_MS)
    return Contender(name, address, answer, page, [], [])


def _draw_on(bare: Contender, ours: Contender) -> list[float]:
    """Draw on both in turn; returns the milliseconds of the model server that our page shows."""
    asked = []
    for number in range(-WARM_UP, STROKES):
        for contender in (bare, ours) if number % 2 else (ours, bare):
            if (number + WARM_UP) % STROKES_PER_LOAD == 0:
                contender.page.goto(contender.address)
                contender.page.locator(CANVAS).wait_for()
            first, settled = _stroke(contender, (number + WARM_UP) % STROKES_PER_LOAD)
            if number >= 0:
                contender.first.append(first)
                contender.settled.append(settled)
        took = re.search(r"(\d+) ms", ours.page.locator(".st-key-certainty").inner_text())
        if number >= 0 and took:
            asked.append(float(took[1]))
        if (number + 1) % STROKES_PER_LOAD == 0 and number > 0:
            latest = [f"{one.name} {format_number(median(one.settled))} ms" for one in (bare, ours)]
            say(f"{number + 1} of {STROKES} strokes: {', '.join(latest)}")
    return asked


def _stroke(contender: Contender, number: int) -> tuple[float, float]:
    """Draw a line; returns the milliseconds to the first and to the last change of the answer."""
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
    """Milliseconds to store an answer, on the disk of the system's outbox."""
    drawings = canvases()
    records = [make_record(drawings[number % len(drawings)]) for number in range(STORED)]
    with tempfile.TemporaryDirectory(dir=system.state) as folder:
        outbox = Outbox(Path(folder) / "outbox.sqlite3")
        times = time_each(outbox.put, records)
        outbox.close()
    return times[1:]  # the first one creates the file


def _results(bare: Contender, ours: Contender, asked: Sequence[float], stored: Sequence[float]) -> Results:
    times: list[tuple[str, Sequence[float]]] = [
        (f"{one.name}: {what}", values)
        for one in (bare, ours)
        for what, values in (("first change", one.first), ("settled", one.settled))
    ]
    times.append(("of it, request to the model", asked))
    rows = [[name, *summarize(values)] for name, values in times]
    rows.append(["of it, write to the outbox (timed alone)", *summarize(stored)])
    summary = (
        f"{STROKES} strokes on each page in turn, {STROKES_PER_LOAD} on a sheet, in one Chromium, after a warm-up of "
        f"{WARM_UP}; milliseconds from pen-up. The bare page runs on the same Streamlit. It uses the unchanged canvas, "
        "which waits 200 ms before it sends, and shows only the size of the drawing. Settled is the last change of the "
        "answer: digit, confidence, the model's input and bars; on the bare page, the size."
    )
    times_bare = ratio(ours.settled, bare.settled)
    bars = Table(
        "The bar",
        ["", "measured", "bar"],
        [
            [
                "our page settled, of the bare page's, median of pairs (at most)",
                format_number(times_bare),
                "0.35",
            ],
            ["the same, of the medians", format_number(median(ours.settled) / median(bare.settled)), ""],
        ],
    )
    table = Table("Pen-up to answer", ["", "p50 ms", "p99 ms", "n"], rows)
    numbers = {"times_bare": times_bare, "ms": dict(times), "outbox_ms": list(stored)}
    return Results("page", summary, [bars, table], numbers)
