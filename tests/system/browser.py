"""Chromium for the tests of the page."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from fixtures.browser import HOW_TO_INSTALL, find_chromium, launch


def chromium() -> str:
    """The path of Chromium. Without Chromium the test is skipped; in CI it fails."""
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_INSTALL)
        pytest.skip(HOW_TO_INSTALL)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launch(chromium()) as browser:
        yield browser
