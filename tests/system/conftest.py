"""The system under test and a browser: started once for all tests in this folder."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from fixtures.browser import ARGUMENTS
from tests.system.browser import chromium
from tests.system.running import RunningSystem, started

# A machine that is busy with the whole system may keep an answer back for longer than the usual 5 s.
expect.set_options(timeout=60_000)

# What the caller of `make up` has in the environment, where `own_system` is started.
SECRETS = {
    "OPERATOR_PASSWORD": "the operator's own secret",
    "S3_SECRET_KEY": "the secret of the store",
    "MLFLOW_TRACKING_PASSWORD": "the secret of the tracking server",
    "AWS_SECRET_ACCESS_KEY": "a secret of other programs",
}


@pytest.fixture(scope="session")
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store that is empty at first: the first start archives the released model."""
    return tmp_path_factory.mktemp("model_store")


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, model_store: Path) -> Iterator[RunningSystem]:
    if os.environ.get("SYSTEM_ADDRESS"):
        yield RunningSystem(None, {})
        return
    with started(tmp_path_factory.mktemp("system") / "var", model_store) as running:
        yield running


@pytest.fixture(scope="session")
def own_system(tmp_path_factory: pytest.TempPathFactory, model_store: Path) -> Iterator[RunningSystem]:
    """A second system, beside the first where tests ask for that too, to stop and to harm.

    It starts where a first run was broken off, while initdb wrote and before there was an archive, and in a folder
    whose name has characters that a shell, nginx and supervisord read as something else.
    """
    if os.environ.get("SYSTEM_ADDRESS"):
        pytest.skip("this test harms a system of its own, and leaves that at SYSTEM_ADDRESS alone")
    state = tmp_path_factory.mktemp("own") / "a b%c'd;e{f}g#h" / "var"
    (state / "postgres.unfinished" / "base").mkdir(parents=True)
    (state / "secrets").mkdir()
    (state / "secrets" / "database_owner_password.unfinished").write_text("")
    with started(state, model_store, **SECRETS) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def idle_pages(browser: Browser) -> dict[str, list[Page]]:
    """Pages that a test is done with, by their options: what they have loaded and compiled serves the next one."""
    return {}


@pytest.fixture
def new_page(browser: Browser, idle_pages: dict[str, list[Page]]) -> Iterator[Callable[..., Page]]:
    """Open a page in a browser session of its own: new_page(width=1280, height=900, color_scheme="dark")."""
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
        page.context.clear_cookies()  # with them goes the session
        idle.append(page)


@pytest.fixture
def desktop(new_page: Callable[..., Page]) -> Page:
    return new_page(width=1280, height=900)


@pytest.fixture
def phone(new_page: Callable[..., Page]) -> Page:
    return new_page(width=390, height=844, has_touch=True, is_mobile=True)
