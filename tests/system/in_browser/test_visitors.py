"""200 visitors at once, one of whom draws."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer, open_page
from tests.system.running import RunningSystem

pytestmark = pytest.mark.slow
VISITORS = 200
SCRIPT = Path(__file__).with_name("visitors.py")


@pytest.fixture
def crowd(system: RunningSystem) -> Iterator[str]:
    """200 open browser sessions; their output once all have the page."""
    command = [str(system.system.python("page")), str(SCRIPT), system.address, str(VISITORS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline()
        process.stdin.close()
    assert process.returncode == 0


def test_one_of_200_visitors_draws_and_gets_an_answer(system: RunningSystem, desktop: Page, crowd):
    assert crowd == f"{VISITORS} visitors have the page\n"
    open_page(desktop, system.address)
    draw_with_mouse(desktop, DIGITS[7])
    expect_answer(desktop, 7)
