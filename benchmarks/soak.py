"""Twenty minutes of drawing, labelling and posting, while one process is killed every 30 s.

The run fails unless every answered drawing is in the database exactly once and every post is answered with the digit or
with 503. Memory should stay constant.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import TypeAlias

import psutil
import psycopg
import requests
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page

from benchmarks import running
from benchmarks.figures import format_number, median
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from fixtures import victims
from fixtures.canvas_png import canvases
from fixtures.drawing import DIGITS, NONE_YET, draw_with_mouse, ink, open_page
from fixtures.waiting import eventually
from ops import direct
from ops.native import postgres
from ops.native.status import memory_mib
from ops.system import System

DURATION_S = 20 * 60.0
KILL_EVERY_S = 30.0
VISITORS = 2
# Posts of programs: enough to keep the model busy without overload.
POSTS_A_SECOND = 20.0
# The first answer after the kill of a JVM takes about 15 s on a quiet machine.
TIMEOUT_S = 120.0
REFUSED = 0
# A valid request gets an answer or a 503 that names the unavailable part; without the gateway, the connection fails.
EXPECTED_STATUSES = {200, 503, REFUSED}

Row: TypeAlias = tuple[int, int | None, int]


@dataclass
class Tally:
    """Counts of the run. The threads share it, and each one changes other fields."""

    drawings: int = 0
    waited_s: list[float] = field(default_factory=list)
    posts: Counter[int] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    memory_mib: list[float] = field(default_factory=list)


def measure() -> Results:
    """Start a system and a browser, draw, post and kill, and return the counts."""
    tally, stop = Tally(), threading.Event()
    with running.system() as system, running.chromium() as browser:
        pages = [browser.new_context().new_page() for _ in range(VISITORS)]
        for page in pages:
            open_page(page, system.address)
        others = [
            threading.Thread(target=_post, args=(system, tally, stop)),
            threading.Thread(target=_kill, args=(system, tally, stop)),
        ]
        for thread in others:
            thread.start()
        try:
            _draw(pages, tally, time.monotonic() + DURATION_S)
        finally:
            stop.set()
            for thread in others:
                thread.join()
        rows = _rows(system, tally.drawings)
    return _results(tally, rows)


def _draw(pages: list[Page], tally: Tally, until: float) -> None:
    for page, digit in zip(cycle(pages), cycle(DIGITS), strict=False):
        if time.monotonic() > until:
            return
        begun = time.monotonic()
        _draw_one(page, digit)
        tally.drawings += 1
        tally.waited_s.append(time.monotonic() - begun)


def _draw_one(page: Page, digit: int) -> None:
    """Draw a digit, wait for its answer during any outage, and label it."""
    draw_with_mouse(page, DIGITS[digit])
    _wait_until(lambda: _is_answered(page))
    _wait_until(lambda: _label(page, digit))


def _is_answered(page: Page) -> bool:
    """Whether the page shows the answer to this drawing; until then it shows the noted previous answer."""
    answer, question = (page.locator(f".st-key-{key}").inner_text().strip() for key in ("answer", "question"))
    return answer != NONE_YET and not question.startswith("Noted") and _is_connected(page)


def _label(page: Page, digit: int) -> bool:
    """Whether the label is stored: then the canvas stays empty. Otherwise press the digit's button."""
    if _is_canvas_empty(page):
        page.wait_for_timeout(500)
        if _is_canvas_empty(page):  # not only during a reload
            return True
    page.locator(f".st-key-label-{digit} button").click(timeout=2000)
    page.wait_for_timeout(1000)
    return False


def _is_canvas_empty(page: Page) -> bool:
    return _is_connected(page) and ink(page) == 0


def _is_connected(page: Page) -> bool:
    return page.locator('.stApp[data-test-connection-state="CONNECTED"]').count() > 0


def _wait_until(holds: Callable[[], bool]) -> None:
    def holds_without_error() -> bool:
        with suppress(BrowserError):  # while the page is rendered
            return holds()
        return False

    running.wait_until(holds_without_error, lambda: "No answer", TIMEOUT_S)


def _post(system: System, tally: Tally, stop: threading.Event) -> None:
    bodies = cycle(canvases())
    with direct.session() as session:
        while not stop.wait(1 / POSTS_A_SECOND):
            try:
                url = f"{system.address}/predictions/mnist"
                tally.posts[session.post(url, data=next(bodies), timeout=30).status_code] += 1
            except requests.RequestException:
                tally.posts[REFUSED] += 1


def _kill(system: System, tally: Tally, stop: threading.Event) -> None:
    for victim in cycle(victims.PROCESS_IDS):
        if stop.wait(KILL_EVERY_S):
            return
        for pid in filter(None, _pids(victim, system)):
            os.kill(pid, signal.SIGKILL)
            tally.killed[victim] += 1
        tally.memory_mib.append(memory_mib(int((system.run / "supervisord.pid").read_text())))
        say(f"{tally.drawings} drawings, {sum(tally.posts.values())} posts, killed: {victim}")


def _pids(victim: str, system: System) -> list[int]:
    try:
        return victims.PROCESS_IDS[victim](system)
    except (psutil.Error, IndexError):
        return []  # already dead


def _rows(system: System, expected: int) -> list[Row]:
    """Prediction, label and revision of each drawing in the database, the oldest first, after all were delivered."""
    rows: list[Row] = []

    def all_are_labelled() -> bool:
        nonlocal rows
        with psycopg.connect(postgres.owner_url(system)) as connection:
            query = "SELECT prediction, true_label, revision FROM predictions ORDER BY created_at"
            rows = connection.execute(query).fetchall()
        return sum(label is not None for _, label, _ in rows) >= expected

    with suppress(AssertionError):  # _results reports missing rows
        eventually(all_are_labelled, TIMEOUT_S)
    return rows


def _first_gap(rows: list[Row]) -> str:
    """The rows around the first one whose label breaks the order of the drawn digits."""
    for place, ((_, label, _), digit) in enumerate(zip(rows, cycle(DIGITS), strict=False)):
        if label != digit:
            around = ", ".join(str(row) for row in rows[max(0, place - 3) : place + 3])
            return f"Row {place + 1} should be a {digit}; (answer, label, revision) around it: {around}."
    return "The existing rows are in order."


def _results(tally: Tally, rows: list[Row]) -> Results:
    labelled = sum(label is not None for _, label, _ in rows)
    answered = tally.posts[200] / max(1, sum(tally.posts.values()))
    quarter = max(1, len(tally.memory_mib) // 4)
    early, late = (
        sum(part) / len(part) for part in (tally.memory_mib[:quarter], tally.memory_mib[-quarter:])
    )
    waited = f"{format_number(median(tally.waited_s))} / {format_number(max(tally.waited_s))} s"
    posts = [f"{count} x {status or 'refused'}" for status, count in sorted(tally.posts.items())]
    killed = [f"{count} x {name}" for name, count in sorted(tally.killed.items())]
    table = Table(
        "Counts",
        ["what", "how much"],
        [
            ["drawings answered on the page", str(tally.drawings)],
            ["rows of them in the database", str(len(rows))],
            ["with their label", str(labelled)],
            ["a drawing, from pen-down to labelled, median / longest", waited],
            ["posts", ", ".join(posts)],
            ["posts answered", f"{answered:.1%}"],
            ["processes killed", ", ".join(killed)],
            ["memory, first quarter / last", f"{early:,.0f} / {late:,.0f} MiB"],
        ],
    )
    if len(rows) != tally.drawings:
        raise StartError(
            f"{tally.drawings} drawings were answered, and the database has {len(rows)}. {_first_gap(rows)}\n"
            f"{table.as_markdown()}"
        )
    if tally.posts.keys() - EXPECTED_STATUSES:
        raise StartError(f"A valid post was answered neither 200 nor 503:\n{table.as_markdown()}")
    summary = (
        f"{DURATION_S / 60:.0f} minutes with {VISITORS} visitors who draw and label, {POSTS_A_SECOND:.0f} posts a "
        f"second and one killed process every {KILL_EVERY_S:.0f} s."
    )
    numbers = {
        "drawings": tally.drawings,
        "rows": len(rows),
        "labelled": labelled,
        "posts": dict(tally.posts),
        "killed": dict(tally.killed),
        "memory_mib": tally.memory_mib,
    }
    return Results("soak", summary, [table], numbers)
