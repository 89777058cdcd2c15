"""The cost of a contender: CPU time and memory of all its processes."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.contenders import Contender, suspend_others
from benchmarks.load import Target
from fixtures.waiting import eventually

# Computes for 0.2 s, allocates 40 MB, prints a line, and waits.
COMMAND = """
import time
while time.process_time() < 0.2:
    pass
taken = b"x" * 40_000_000
print(flush=True)
input()
"""


@pytest.fixture
def contender() -> Iterator[Contender]:
    processes = [
        subprocess.Popen([sys.executable, "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.stdout.readline()
    yield Contender(Target("two", 9, "/"), [psutil.Process(process.pid) for process in processes], True)
    for process in processes:
        process.communicate(b"\n")


def test_the_cost_is_the_sum_over_all_processes(contender):
    assert 0.3 < contender.cpu_s() < 2
    assert 76 < contender.pss_mib() < 140


def test_a_contender_that_works_while_idle_is_suspended_meanwhile(contender):
    def stopped() -> list[bool]:
        return [process.status() == psutil.STATUS_STOPPED for process in contender.processes]

    with suspend_others(["another"], [contender]):
        eventually(lambda: all(stopped()))
    eventually(lambda: not any(stopped()))
    with suspend_others(["two"], [contender]):
        assert not any(stopped())
