"""kill -9 of each container's main process in turn, while ten people draw."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from fixtures.drawing import DIGITS, draw_with_mouse, expect_answer
from fixtures.waiting import eventually
from tests.containers.deployment import MAIN, Deployment
from tests.containers.drawn import RECOVERY_S, clear, count_drawings, expect_digit, pages

PEOPLE = 10
# Messages of the page while a part is unavailable.
SAYS = {
    "torchserve": "Model server unavailable",
    "page": "Page server unavailable",
    "gateway": "Gateway unavailable",
}


@pytest.fixture(scope="module")
def people(browser: Browser, deployment: Deployment):
    with pages(browser, deployment, PEOPLE) as people:
        yield people


def _kill(deployment: Deployment, service: str) -> None:
    """Kill a process from outside the engine: the engine does not restart containers that it kills on request."""
    before = deployment.inspect(service)["State"]
    os.kill(before["Pid"], signal.SIGKILL)
    eventually(lambda: deployment.inspect(service)["State"]["StartedAt"] != before["StartedAt"], 30)


@pytest.mark.parametrize("service", MAIN)
def test_a_killed_service_restarts_without_data_loss(deployment: Deployment, people: list[Page], service):
    clear(people)
    before = count_drawings(deployment)
    for page in people[: PEOPLE // 2]:
        draw_with_mouse(page, DIGITS[3])
    _kill(deployment, service)
    for page in people[PEOPLE // 2 :]:
        draw_with_mouse(page, DIGITS[3])
    for page in people:
        expect_digit(page, 3)
    deployment.wait_until_healthy(RECOVERY_S)
    eventually(lambda: count_drawings(deployment) == before + PEOPLE, 60)


@contextmanager
def _stopped(deployment: Deployment, service: str) -> Iterator[None]:
    deployment.compose("stop", service)
    try:
        yield
    finally:
        deployment.compose("start", service)
        deployment.wait_until_healthy(RECOVERY_S)


@pytest.mark.parametrize("service", SAYS)
def test_the_page_names_the_unavailable_part_and_answers_later(
    deployment: Deployment, people: list[Page], service
):
    page = people[0]
    clear([page])
    before = count_drawings(deployment)
    with _stopped(deployment, service):
        notice = page.locator(".st-key-notice")
        if service == "torchserve":
            draw_with_mouse(page, DIGITS[7])
            expect(notice).to_contain_text(SAYS[service])
        else:  # shown without a stroke
            expect(notice).to_contain_text(SAYS[service])
            draw_with_mouse(page, DIGITS[7])
    expect_digit(page, 7)
    eventually(lambda: count_drawings(deployment) == before + 1, 60)


def test_answers_continue_and_are_stored_without_the_database(deployment: Deployment, people: list[Page]):
    page, drawn = people[0], 0
    before = count_drawings(deployment)
    with _stopped(deployment, "postgres"):

        def is_reported() -> bool:
            nonlocal drawn
            clear([page])
            draw_with_mouse(page, DIGITS[7])
            expect_answer(page, 7)
            drawn += 1
            return "Database unavailable" in page.locator(".st-key-notice").inner_text()

        eventually(is_reported, 60)
    eventually(lambda: count_drawings(deployment) == before + drawn, 60)


def test_the_death_of_the_controller_restarts_its_container(deployment: Deployment):
    before = deployment.inspect("torchserve")["State"]["StartedAt"]
    script = (
        "import os, signal, pathlib\n"
        "for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
        "    if path.read_bytes() == b'python\\0-m\\0ops.versions.controller\\0':\n"
        "        os.kill(int(path.parent.name), signal.SIGKILL)"
    )
    deployment.python("torchserve", script)
    eventually(lambda: deployment.inspect("torchserve")["State"]["StartedAt"] != before, 30)
    deployment.wait_until_healthy(RECOVERY_S)
    assert deployment.predict().json()["digit"] == 7
