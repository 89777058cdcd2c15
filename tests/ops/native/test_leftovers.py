import os
import subprocess
import sys

import pytest

from ops.native import leftovers

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [*SLEEP[:-1], f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP[-1]}"]


@pytest.fixture
def process(system):
    """Start a process with the marks of a part of the system."""
    started = []

    def start(command, part):
        environment = os.environ | leftovers.marks(system, part)
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


def test_find_selects_by_system_and_part(system, process):
    page, gateway = process(SLEEP, "page"), process(SLEEP, "gateway")
    assert {p.pid for p in leftovers.find(system)} == {page.pid, gateway.pid}
    assert [p.pid for p in leftovers.find(system, "page")] == [page.pid]


def test_find_ignores_a_process_without_the_mark(system):
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as stranger:
        stranger.stdout.readline()
        assert leftovers.find(system) == []
        stranger.kill()


def test_terminate_stops_a_process(system, process):
    child = process(SLEEP, "page")
    leftovers.terminate(leftovers.find(system))
    assert child.poll() is not None


def test_terminate_kills_a_process_that_ignores_sigterm(system, process, monkeypatch):
    monkeypatch.setattr(leftovers, "STOP_TIMEOUT_S", 0.5)
    child = process(DEAF, "page")
    leftovers.terminate(leftovers.find(system))
    assert child.poll() is not None
