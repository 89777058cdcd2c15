"""Measure how the throughput grows with replicas of TorchServe, each limited to a part of a core:

    python -m tests.swarm.capacity

Two nodes on one machine have few cores, so each replica gets CORES of one. Gateway and clients have the rest.
"""

import statistics
import tempfile
import threading
import time
import uuid
from pathlib import Path

from fixtures.waiting import eventually
from tests.containers.deployment import copy_checkout
from tests.swarm.load import Request, predict, session
from tests.swarm.nodes import run, swarm
from tests.swarm.stack import REPLICAS, Stack

CORES = 0.05
CLIENTS = 32
SECONDS = 20.0
ROUNDS = 3
COUNTS = (4, 2, 1)


def measure(address: str) -> tuple[float, list[float]]:
    """Requests per second of CLIENTS open connections, and the latencies in ms."""
    done: list[Request] = []
    end = time.monotonic() + SECONDS

    def send() -> None:
        with session() as own:
            own.headers.pop("Connection")
            while time.monotonic() < end:
                done.append(predict(own, address, str(uuid.uuid4())))

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [request for request in done if request.failure]
    return len(done) / SECONDS, [1000 * (request.end - request.begin) for request in done]


def scale(stack: Stack, count: int) -> None:
    """Run so many replicas, each limited to CORES."""
    run("docker", "service", "scale", f"{stack.project}_torchserve={count}")
    eventually(lambda: len(stack.tasks("torchserve")) == count, 600)
    for task in stack.tasks("torchserve"):
        task.docker("update", "--cpus", str(CORES), task.container)
    time.sleep(5)  # the gateway follows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, copy_checkout(Path(folder, "copy")) as deployment:
        Path(folder, "node").mkdir()
        with swarm(Path(folder, "node")) as node:
            stack = Stack(deployment, node)
            try:
                stack.up()
                for _ in range(ROUNDS):
                    for count in COUNTS:
                        scale(stack, count)
                        rate, latencies = measure(stack.address)
                        cuts = statistics.quantiles(latencies, n=100)
                        print(
                            f"{count} replicas: {rate:.0f}/s, p50 {cuts[49]:.0f} ms, p95 {cuts[94]:.0f} ms",
                            flush=True,
                        )
                    for task in stack.tasks("torchserve"):
                        task.docker("update", "--cpus", "2", task.container)
                    run("docker", "service", "scale", f"{stack.project}_torchserve={REPLICAS}")
            finally:
                stack.remove()


if __name__ == "__main__":
    main()
