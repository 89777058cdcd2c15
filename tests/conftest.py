"""Mark tests that start a service, add service logs to failures, and fail a session that leaves processes or files."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import proxies
from tests.leftovers import Session

TESTS = Path(__file__).parent
# A test starts a service when it lies in this folder, uses one of these fixtures, or is marked with `service`.
SERVICE_FOLDER = TESTS / "system"
SERVICE_FIXTURES = {
    "engine",
    "gateway",
    "impatient",
    "limited",
    "lonely_gateway",
    "monitored",
    "server",
    "split",
}
HARMED_FIXTURE = "own_system"
TAIL_BYTES = 3000
CLOCK_STEP_S = 0.1  # margin: the modification time of a file has a lower resolution than the clock
SESSION = pytest.StashKey[Session]()
LEFT_BEHIND = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SESSION] = Session.begin()
    for host in ("127.0.0.1", "localhost", "[::1]"):  # the hosts of the tests' own requests
        proxies.bypass(f"http://{host}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.path.is_relative_to(SERVICE_FOLDER) or SERVICE_FIXTURES.intersection(fixtures):
            item.add_marker("service")
        if HARMED_FIXTURE in fixtures:
            item.add_marker("harms")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: Any = yield
    if report.failed:
        report.sections += _log_tails(item.config.stash[SESSION].folder, since=call.start)
    return report


def _log_tails(folder: Path, since: float) -> Iterator[tuple[str, str]]:
    """The end of each log below a folder that a service has written to since then."""
    for parent, folders, names in os.walk(folder):
        # Chromium's profile and SeaweedFS's database have binary files with this suffix.
        folders[:] = [name for name in folders if not name.startswith(("playwright", "filerldb"))]
        for path in (Path(parent, name) for name in names if name.endswith(".log")):
            with contextlib.suppress(FileNotFoundError):  # its service may delete it at this moment
                if path.stat().st_mtime >= since - CLOCK_STEP_S:
                    tail = path.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
                    yield str(path.relative_to(folder)), tail


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.stash[LEFT_BEHIND] = left = session.config.stash[SESSION].left_behind()
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left := config.stash[LEFT_BEHIND]:
        terminalreporter.section("left behind by this session", red=True)
        for line in left:
            terminalreporter.write_line(line)
