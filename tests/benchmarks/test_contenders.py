"""What a contender costs: the CPU time and memory of all of its processes."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.contenders import Contender
from benchmarks.load import Target

# Computes for 0.2 s, takes 40 MB, says so, and waits.
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
    yield Contender(Target("two", 9, "/"), [psutil.Process(process.pid) for process in processes])
    for process in processes:
        process.communicate(b"\n")


def test_it_costs_what_all_of_its_processes_cost(contender):
    assert 0.3 < contender.cpu_s() < 2
    assert 76 < contender.pss_mib() < 140
