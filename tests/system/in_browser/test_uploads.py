"""Uploads that are never read: their memory is freed, and other visitors are served."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer, open_page
from fixtures.waiting import eventually
from ops.native import supervisor
from tests.system.running import RunningSystem

SCRIPT = Path(__file__).with_name("uploads.py")
MEBIBYTE = 2**20
COUNT = 30
SIZE = 10 * MEBIBYTE
AT_ONCE = 4  # the gateway limits them to two a second
RETURNS_WITHIN_S = 10.0
MOST_KEPT = 20 * MEBIBYTE


@contextmanager
def _uploads(system: RunningSystem, count: int) -> Iterator[list[str]]:
    """Upload files in a session that stays open and reads none; yield the status of each upload."""
    values = [system.address, str(count), str(SIZE), str(AT_ONCE)]
    command = [str(system.system.python("page")), str(SCRIPT), *values]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield [process.stdout.readline().strip() for _ in range(count)]
        process.stdin.close()


@pytest.mark.slow  # tests/ui/test_pending_uploads.py has the limits and the time of unread files
def test_the_memory_of_thirty_unread_uploads_is_freed(system: RunningSystem, desktop: Page):
    open_page(desktop, system.address)  # loads the modules that the page needs
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
    with _uploads(system, 2):
        pass
    time.sleep(RETURNS_WITHIN_S)
    before = _memory(system)
    with _uploads(system, COUNT) as statuses:
        sent = time.monotonic()
        assert statuses == ["204"] * COUNT
        desktop.locator(".st-key-clear button").click()
        draw_with_mouse(desktop, DIGITS[3])
        expect_answer(desktop, 3)
        left = sent + RETURNS_WITHIN_S - time.monotonic()
        eventually(lambda: _memory(system) < before + MOST_KEPT, timeout_s=left)


def _memory(system: RunningSystem) -> int:
    """Bytes that the page holds."""
    pid = (supervisor.processes(system.system) or {})["page"]["pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
