"""The system under test and a browser, each started once for all tests in this folder."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.system.browser import browser
from tests.system.running import RunningSystem, start_system

__all__ = ["browser"]

# The default of 5 s is too short on a machine that is busy with the whole system.
expect.set_options(timeout=60_000)

# Secrets in the environment of the `make up` that starts `own_system`.
SECRETS = {
    "OPERATOR_PASSWORD": "the operator's own secret",
    "S3_SECRET_KEY": "the secret of the store",
    "MLFLOW_TRACKING_PASSWORD": "the secret of the tracking server",
    "AWS_SECRET_ACCESS_KEY": "a secret of other programs",
}


@pytest.fixture(scope="session")
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty model store. The first start archives the released model in it."""
    return tmp_path_factory.mktemp("model_store")


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, model_store: Path) -> Iterator[RunningSystem]:
    if os.environ.get("SYSTEM_ADDRESS"):
        yield RunningSystem(None, {})
        return
    with start_system(tmp_path_factory.mktemp("system") / "var", model_store) as running:
        yield running


@pytest.fixture(scope="session")
def own_system(tmp_path_factory: pytest.TempPathFactory, model_store: Path) -> Iterator[RunningSystem]:
    """A second system, which tests stop and damage.

    It starts with the files of an interrupted first start: initdb was running, and there was no archive. The name of
    its folder has special characters of the shell, of nginx and of supervisord.
    """
    if os.environ.get("SYSTEM_ADDRESS"):
        pytest.skip("this test damages its own system, never the one at SYSTEM_ADDRESS")
    state = tmp_path_factory.mktemp("own") / "a b%c'd;e{f}g#h" / "var"
    (state / "postgres.unfinished" / "base").mkdir(parents=True)
    (state / "secrets").mkdir()
    (state / "secrets" / "database_owner_password.unfinished").write_text("")
    with start_system(state, model_store, **SECRETS) as running:
        yield running


@pytest.fixture(scope="session")
def idle_pages(browser: Browser) -> dict[str, list[Page]]:
    """Unused pages by their options, for reuse by the next test: their scripts are already loaded and compiled."""
    return {}


@pytest.fixture
def new_page(browser: Browser, idle_pages: dict[str, list[Page]]) -> Iterator[Callable[..., Page]]:
    """Opens a page in a new browser session: new_page(width=1280, height=900, color_scheme="dark")."""
    in_use = []

    def open_one(width: int, height: int, **options: Any) -> Page:
        options["viewport"] = {"width": width, "height": height}
        options["ignore_https_errors"] = True  # a certificate may be self-signed
        idle = idle_pages.setdefault(json.dumps(options, sort_keys=True), [])
        page = idle.pop() if idle else browser.new_context(**options).new_page()
        in_use.append((idle, page))
        return page

    yield open_one
    for idle, page in in_use:
        page.goto("about:blank")
        page.context.clear_cookies()  # ends the session
        idle.append(page)


@pytest.fixture
def desktop(new_page: Callable[..., Page]) -> Page:
    return new_page(width=1280, height=900)


@pytest.fixture
def phone(new_page: Callable[..., Page]) -> Page:
    return new_page(width=390, height=844, has_touch=True, is_mobile=True)
