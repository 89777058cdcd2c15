"""Measure how the throughput grows with replicas of TorchServe, each limited to a part of a core, and what each costs:

    python -m tests.swarm.capacity

Two nodes on one machine have few cores, so each replica gets CORES of one. Gateway and clients have the rest.
"""

import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from fixtures.waiting import eventually
from tests.containers.deployment import copy_checkout
from tests.swarm.load import Request, predict, session
from tests.swarm.nodes import run, swarm
from tests.swarm.stack import REPLICAS, Stack

CORES = 0.1
CLIENTS = 16  # for each replica
SECONDS = 20.0
ROUNDS = 3
COUNTS = (4, 2, 1)
PARTS = ("torchserve", "gateway", "postgres", "s3")
# Nanoseconds of the container, with cgroups of version 1 and 2.
CPU_NS = (
    "cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || "
    "awk '/usage_usec/ {printf \"%d\\n\", 1000 * $2}' /sys/fs/cgroup/cpu.stat"
)


def send(address: str, clients: int) -> int:
    """The number of answers to so many open connections within SECONDS."""
    done: list[Request] = []
    end = time.monotonic() + SECONDS

    def post() -> None:
        with session() as own:
            own.headers.pop("Connection")
            while time.monotonic() < end:
                done.append(predict(own, address, str(uuid.uuid4())))

    threads = [threading.Thread(target=post) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [request for request in done if request.failure]
    return len(done)


def measure(stack: Stack, work: Callable[[], int]) -> tuple[int, dict[str, float]]:
    """Do the work. Returns its result, and the CPU seconds of each part during it."""
    tasks = [task for part in PARTS for task in stack.tasks(part)]
    before = [int(task.shell(CPU_NS)) for task in tasks]
    count = work()
    used = dict.fromkeys(PARTS, 0.0)
    for task, start in zip(tasks, before, strict=True):
        used[task.service] += (int(task.shell(CPU_NS)) - start) / 1e9
    return count, used


def idle() -> int:
    time.sleep(SECONDS)
    return 0


def scale(stack: Stack, count: int) -> None:
    """Run so many replicas, each limited to CORES."""
    run("docker", "service", "scale", f"{stack.project}_torchserve={count}")
    eventually(lambda: len(stack.tasks("torchserve")) == count, 600)
    for task in stack.tasks("torchserve"):
        task.docker("update", "--cpus", str(CORES), task.container)
    time.sleep(5)  # the gateway follows


def measure_round(stack: Stack, rates: dict[int, list[float]]) -> None:
    for count in COUNTS:
        scale(stack, count)
        _, used = measure(stack, idle)
        print(f"{count} replicas, idle, % of a core: {show(used, 100 / SECONDS)}", flush=True)
        answers, used = measure(stack, lambda count=count: send(stack.address, CLIENTS * count))
        rates[count].append(answers / SECONDS)
        print(
            f"{count} replicas: {answers / SECONDS:.0f}/s, CPU ms of a prediction: {show(used, 1000 / answers)}"
        )
    for task in stack.tasks("torchserve"):
        task.docker("update", "--cpus", "2", task.container)
    run("docker", "service", "scale", f"{stack.project}_torchserve={REPLICAS}")


def show(used: dict[str, float], factor: float) -> str:
    return ", ".join(f"{part} {factor * seconds:.2f}" for part, seconds in used.items())


def main() -> None:
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    with tempfile.TemporaryDirectory() as folder, copy_checkout(Path(folder, "copy")) as deployment:
        Path(folder, "node").mkdir()
        with swarm(Path(folder, "node")) as node:
            stack = Stack(deployment, node)
            try:
                stack.up()
                for _ in range(ROUNDS):
                    measure_round(stack, rates)
            finally:
                stack.remove()
    for count, each in rates.items():
        growth = [rate / one for rate, one in zip(each, rates[1], strict=True)]
        print(
            f"{count} replicas: median {statistics.median(each):.0f}/s, {statistics.median(growth):.2f} of one"
        )


if __name__ == "__main__":
    main()
