"""Twenty minutes of drawing, labelling and posting, while every 30 s another process is killed.

Every drawing that was answered must be a row exactly once, and every post be answered with the digit or with 503: the
run fails else. The memory should be flat.
"""

import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from typing import TypeAlias

import psutil
import psycopg
import requests
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, sync_playwright

from benchmarks import running
from benchmarks.drawings import canvases
from benchmarks.figures import shown
from benchmarks.page import ARGUMENTS
from benchmarks.results import Results, Table
from benchmarks.running import StartError, say
from ops import direct
from ops.native import postgres
from ops.native.status import memory_mib
from ops.system import System
from tests.system import victims
from tests.system.drawing import DIGITS, NONE_YET, draw_with_mouse, ink, open_page

DURATION_S = 20 * 60.0
KILL_EVERY_S = 30.0
VISITORS = 2
# What programs post beside the visitors: enough to keep the model at work, not to drown it.
POSTS_A_SECOND = 20.0
# From the kill of a JVM to the next answer it takes about 15 s on a quiet machine.
PATIENCE_S = 120.0
POLL_S = 0.1
REFUSED = 0
# Whatever dies, a good request gets its answer or is told who is away; refused it is while the gateway itself is.
PROMISED = {200, 503, REFUSED}

Row: TypeAlias = tuple[int, int | None, int]


@dataclass
class Tally:
    """What happened; shared by the threads, each of which counts its own."""

    drawings: int = 0
    waited_s: list[float] = field(default_factory=list)
    posts: Counter[int] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    memory_mib: list[float] = field(default_factory=list)


def measure() -> Results:
    """Starts a system and a browser, draws, posts and kills, and gives back what became of it all."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser_path is None:
        raise StartError("Chromium is not installed; Debian: apt-get install chromium")
    tally, stop = Tally(), threading.Event()
    with running.system() as system, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
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
            browser.close()
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
    """Draw a digit, wait for its answer whatever is away, and label it."""
    draw_with_mouse(page, DIGITS[digit])
    _until(lambda: _is_answered(page))
    _until(lambda: _labelled(page, digit))


def _is_answered(page: Page) -> bool:
    """Whether the answer is that to the drawing at hand: the one before stays, noted, until then."""
    answer, question = (page.locator(f".st-key-{key}").inner_text().strip() for key in ("answer", "question"))
    return answer != NONE_YET and not question.startswith("Noted") and _connected(page)


def _labelled(page: Page, digit: int) -> bool:
    """Press the digit's button, until the canvas is free for the next drawing and stays so."""
    if _is_free(page):
        page.wait_for_timeout(500)
        if _is_free(page):  # and not empty because it was just being made anew
            return True
    page.locator(f".st-key-label-{digit} button").click(timeout=2000)
    page.wait_for_timeout(1000)
    return False


def _is_free(page: Page) -> bool:
    return _connected(page) and ink(page) == 0


def _connected(page: Page) -> bool:
    return page.locator('.stApp[data-test-connection-state="CONNECTED"]').count() > 0


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if look():
                return
        except BrowserError:
            pass  # the page is being drawn anew
        if time.monotonic() > deadline:
            raise StartError(f"Nothing came for {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)


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
    for victim in cycle(victims.OF):
        if stop.wait(KILL_EVERY_S):
            return
        for pid in filter(None, _pids(victim, system)):
            os.kill(pid, signal.SIGKILL)
            tally.killed[victim] += 1
        tally.memory_mib.append(memory_mib(int((system.run / "supervisord.pid").read_text())))
        say(f"{tally.drawings} drawings, {sum(tally.posts.values())} posts, killed: {victim}")


def _pids(victim: str, system: System) -> list[int]:
    try:
        return victims.OF[victim](system)
    except (psutil.Error, IndexError):
        return []  # it is away already


def _rows(system: System, expected: int) -> list[Row]:
    """Prediction, label and revision of each drawing in the database, the first first, once all have arrived."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with psycopg.connect(postgres.owner_url(system)) as connection:
                rows = connection.execute(
                    "SELECT prediction, true_label, revision FROM predictions ORDER BY created_at"
                ).fetchall()
            labelled = sum(label is not None for _, label, _ in rows)
            if (len(rows) >= expected and labelled >= expected) or time.monotonic() > deadline:
                return rows
        except psycopg.Error:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def _first_gap(rows: list[Row]) -> str:
    """Where the drawn digits, which come one after the other, do not: the rows around it."""
    for place, ((_, label, _), digit) in enumerate(zip(rows, cycle(DIGITS), strict=False)):
        if label != digit:
            around = ", ".join(str(row) for row in rows[max(0, place - 3) : place + 3])
            return f"Row {place + 1} should be a {digit}; (answer, label, revision) around it: {around}."
    return "Those that are there are in order."


def _results(tally: Tally, rows: list[Row]) -> Results:
    labelled = sum(label is not None for _, label, _ in rows)
    waited = sorted(tally.waited_s)
    answered = tally.posts[200] / max(1, sum(tally.posts.values()))
    results = Results(
        "soak",
        f"{DURATION_S / 60:.0f} minutes of {VISITORS} visitors who draw and label and of {POSTS_A_SECOND:.0f} posts a "
        f"second, with a process killed every {KILL_EVERY_S:.0f} s.",
    )
    quarter = max(1, len(tally.memory_mib) // 4)
    early, late = (
        sum(part) / len(part) for part in (tally.memory_mib[:quarter], tally.memory_mib[-quarter:])
    )
    results.tables.append(
        Table(
            "What became of it",
            ["what", "how much"],
            [
                ["drawings answered on the page", str(tally.drawings)],
                ["rows of them in the database", str(len(rows))],
                ["with their label", str(labelled)],
                [
                    "a drawing, from pen-down to labelled, median / longest",
                    f"{shown(waited[len(waited) // 2])} / {shown(waited[-1])} s",
                ],
                [
                    "posts",
                    ", ".join(
                        f"{count} x {status or 'refused'}" for status, count in sorted(tally.posts.items())
                    ),
                ],
                ["posts answered", f"{answered:.1%}"],
                [
                    "processes killed",
                    ", ".join(f"{count} x {name}" for name, count in sorted(tally.killed.items())),
                ],
                ["memory, first quarter / last", f"{early:,.0f} / {late:,.0f} MiB"],
            ],
        )
    )
    results.numbers = {
        "drawings": tally.drawings,
        "rows": len(rows),
        "labelled": labelled,
        "posts": dict(tally.posts),
        "killed": dict(tally.killed),
        "memory_mib": tally.memory_mib,
    }
    if len(rows) != tally.drawings:
        raise StartError(
            f"{tally.drawings} drawings were answered, and the database has {len(rows)}. {_first_gap(rows)}\n"
            f"{results.tables[0].as_markdown()}"
        )
    if tally.posts.keys() - PROMISED:
        raise StartError(f"A good post was answered neither 200 nor 503:\n{results.tables[0].as_markdown()}")
    return results
