"""Chromium for the tests of the page."""

import os

import pytest

from fixtures.browser import HOW_TO_INSTALL, find_chromium


def chromium() -> str:
    """The path of Chromium. Without Chromium the test is skipped; in CI it fails."""
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_INSTALL)
        pytest.skip(HOW_TO_INSTALL)
    return path
