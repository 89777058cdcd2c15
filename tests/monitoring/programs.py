"""Prometheus, Alertmanager and their tools, for the tests."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of promtool, amtool, prometheus or alertmanager. Without it, the test is skipped, or fails in CI."""
    path = shutil.which(name) or shutil.which(f"prometheus-{name}")
    if path is None:
        reason = f"{name} is not installed; Debian: apt-get install prometheus prometheus-alertmanager"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
