"""The containers under test, started once; without a container engine, the tests are skipped."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.containers.deployment import Deployment, copy_checkout, up
from tests.system.browser import browser

__all__ = ["browser"]

expect.set_options(timeout=30_000)


def _why_no_engine() -> str | None:
    if shutil.which("docker") is None:
        return "docker is not installed"
    for command, missing in (
        (["docker", "info"], "no container engine runs"),
        (["docker", "compose", "version"], "docker has no compose v2"),
    ):
        if subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            return missing
    return None


@pytest.fixture(scope="session")
def engine() -> None:
    if reason := _why_no_engine():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def deployment(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with up(tmp_path_factory.mktemp("containers")) as deployment:
        yield deployment


@pytest.fixture
def bare(engine: None, tmp_path) -> Iterator[Deployment]:
    """A clean copy of the checkout without running containers."""
    with copy_checkout(tmp_path) as deployment:
        yield deployment
