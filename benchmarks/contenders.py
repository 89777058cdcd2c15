"""The contenders of `make bench BENCH=predict`: this TorchServe, another commit's, and other model servers.

A contender lists its processes, so that their CPU time and memory can be measured.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from benchmarks import load, running
from benchmarks.load import LoadError, Target
from benchmarks.peers import PATH, WORKERS
from fixtures.canvas_png import canvases
from ops.native import leftovers
from ops.system import System
from ops.versions.management import MODEL, Management

START_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.1
GATEWAY, DIRECT, BASE = "gateway + TorchServe", "TorchServe", "TorchServe at {commit}"
FASTAPI, LITSERVE, BENTOML, MOSEC = "FastAPI + uvicorn", "LitServe", "BentoML", "mosec"
NOOP, NOOP_BATCHED = "no-op in TorchServe, unbatched", "no-op in TorchServe, batched"
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log")
PEERS: dict[str, Callable[[str], list[str]]] = {
    FASTAPI: lambda port: ["uvicorn", "benchmarks.peers.fastapi_server:app", "--port", port, *UVICORN],
    LITSERVE: lambda port: ["benchmarks.peers.litserve_server", port],
    BENTOML: lambda port: ["bentoml", "serve", "benchmarks.peers.bentoml_service:Digits", "--port", port],
    MOSEC: lambda port: ["benchmarks.peers.mosec_server", "--port", port, "--log-level", "warning"],
}
# With one port (`uvicorn --workers 2`), any awake worker accepts a connection. In three of three runs, one worker got
# all keep-alive clients and the other idled. One port per worker divides the clients evenly, the fastest setup.
SERVERS = {FASTAPI: WORKERS}


@dataclass(frozen=True)
class Contender:
    """The target of the requests, and all processes that take part in a response."""

    target: Target
    processes: Sequence[psutil.Process]
    works_while_idle: bool = False  # LitServe uses a core while idle

    def cpu_s(self) -> float:
        """User and system CPU seconds of all processes."""
        return sum(process.cpu_times().user + process.cpu_times().system for process in self.processes)

    def pss_mib(self) -> float:
        """Memory as PSS: shared pages are divided among their processes."""
        return float(sum(process.memory_full_info().pss for process in self.processes)) / 2**20


@contextmanager
def suspend_others(measured: Collection[str], contenders: Sequence[Contender]) -> Iterator[None]:
    """Suspend the contenders that work while idle, except for the measured ones, given by name."""
    stopped = [
        process
        for contender in contenders
        if contender.works_while_idle and contender.target.name not in measured
        for process in contender.processes
    ]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


def torchserve(system: System, name: str) -> Contender:
    """The TorchServe of a system with no other model."""
    return Contender(Target(name, system.inference_port, PATH), leftovers.find(system, "torchserve"))


def model(system: System, name: str, model: str) -> Contender:
    """One model of a system's TorchServe, without the workers of other models."""
    management = Management(system.management_address)
    others = {
        worker["pid"]
        for other in management.request("GET", "/models")["models"]
        if other["modelName"] != model
        for worker in management.request("GET", f"/models/{other['modelName']}")[0]["workers"]
    }
    processes = [process for process in leftovers.find(system, "torchserve") if process.pid not in others]
    return Contender(Target(name, system.inference_port, f"/predictions/{model}"), processes)


def gateway(system: System) -> Contender:
    """The model through nginx."""
    processes = [*model(system, DIRECT, MODEL).processes, *leftovers.find(system, "gateway")]
    return Contender(Target(GATEWAY, system.gateway_port, PATH), processes)


@contextmanager
def peer(name: str, port: int) -> Iterator[Contender]:
    """A ready server of PEERS. It uses SERVERS ports (default 1) from `port` on."""
    ports = tuple(range(port, port + SERVERS.get(name, 1)))
    with ExitStack() as stack:
        servers = []
        for each in ports:
            command = [sys.executable, "-m", *PEERS[name](str(each))]
            server = running.process(command, f"http://127.0.0.1:{each}/", OMP_NUM_THREADS="1")
            servers.append(stack.enter_context(server))
        target = Target(name, ports, PATH)
        _wait_for_prediction(target, servers)
        trees = [psutil.Process(server.pid) for server in servers]
        processes = [process for tree in trees for process in (tree, *tree.children(recursive=True))]
        yield Contender(target, processes, works_while_idle=True)


def _wait_for_prediction(target: Target, servers: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    error: Exception | None = None
    while time.monotonic() < deadline and all(server.poll() is None for server in servers):
        try:
            # Twice as many clients as workers: some servers listen before all workers are ready.
            load.run(target, canvases()[:1], 2 * WORKERS, 0.2, warm_up_s=0)
        except (LoadError, OSError) as failure:
            error = failure
            time.sleep(POLL_INTERVAL_S)
        else:
            return
    raise running.StartError(f"{target.name} does not predict: {error}")
