"""Prometheus, Alertmanager and their tools, for the tests."""

import shutil

from tests.required import require


def program(name: str) -> str:
    """The path of promtool, amtool, prometheus or alertmanager. Without it, the test is skipped, or fails in CI."""
    missing = f"{name} is not installed; Debian: apt-get install prometheus prometheus-alertmanager"
    return require(shutil.which(name) or shutil.which(f"prometheus-{name}"), missing)
