"""Chromium for the tests of the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from fixtures.browser import HOW_TO_INSTALL, find_chromium, launch
from tests.required import require


def chromium() -> str:
    """The path of Chromium. Without Chromium the test is skipped; in CI it fails."""
    return require(find_chromium(), HOW_TO_INSTALL)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch(chromium()) as browser:
        yield browser
