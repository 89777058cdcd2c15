"""TorchServe as the controller starts it: management socket, batching and memory; and the end of the controller."""

import contextlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from fixtures.waiting import eventually
from ops.system import ROOT, System
from ops.versions import controller
from ops.versions.management import Management, RefusedError
from ops.versions.state import archive_name
from tests.ops.conftest import a_system

pytestmark = pytest.mark.service

SLOW_HANDLER = """
import time


class SlowHandler:
    def initialize(self, context):
        pass

    def handle(self, rows, context):
        time.sleep(0.5)
        return [str(len(rows))] * len(rows)
"""

# The batch delay of the archive's configuration and the test's timeout, both in seconds.
BATCH_DELAY_S, ANSWER_WITHIN_S = 30, 15


@pytest.fixture
def alone(system) -> Iterator[System]:
    """A system that runs only TorchServe, with two versions without workers."""
    handler = (ROOT / "benchmarks" / "noop_handler.py").read_text(encoding="utf-8")
    for version in ("1.0", "1.1"):
        _archive(system, version, handler)
    yield system
    shutil.rmtree(system.management_socket.parent)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Management]]:
    """A system that runs only TorchServe, with one worker each of 1.0 and of a slow 1.1, which are ready."""
    with a_system(tmp_path_factory.mktemp("serving")) as system:
        _archive(system, "1.0", (ROOT / "benchmarks" / "noop_handler.py").read_text(encoding="utf-8"))
        _archive(system, "1.1", SLOW_HANDLER)
        with _started(system) as management:
            for version in ("1.0", "1.1"):
                management.register(version)
                management.scale(version, 1)
            eventually(lambda: all(found.is_up for found in management.list_versions().values()))
            yield system, management
        shutil.rmtree(system.management_socket.parent)


def _archive(system: System, version: str, handler: str) -> None:
    model = {"modelName": "mnist", "modelVersion": version}
    model |= {"handler": "handler.py", "configFile": "model-config.yaml"}
    with zipfile.ZipFile(system.model_store / archive_name(version), "w") as archive:
        manifest = {"runtime": "python", "model": model, "archiverVersion": "0.12.0"}
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        archive.writestr("handler.py", handler)
        archive.writestr("model-config.yaml", f"batchSize: 8\nmaxBatchDelay: {BATCH_DELAY_S * 1000}\n")


@contextmanager
def _started(system: System) -> Iterator[Management]:
    """TorchServe's management API; at the end TorchServe is killed, so it removes no file."""
    with controller.start(system) as launcher:
        management = Management(system.management_address)
        try:
            eventually(lambda: management.list_versions() == {})
            yield management
        finally:
            for process in [*psutil.Process(launcher.pid).children(recursive=True), launcher]:
                with contextlib.suppress(psutil.NoSuchProcess):  # a short-lived probe of the JVM
                    process.kill()


def test_the_socket_manages_versions_also_after_a_kill(alone):
    for _ in range(2):  # the second start finds the first one's socket
        with _started(alone) as management:
            management.register("1.0")
            management.register("1.1")
            assert management.default() == "1.0"
            management.set_default("1.1")
            assert management.default() == "1.1"
            management.scale("1.0", 1)
            eventually(lambda management=management: management.list_versions()["1.0"].is_up)
            management.unregister("1.0")
            assert management.list_versions().keys() == {"1.1"}
            with pytest.raises(RefusedError):
                management.register("1.2")
        assert alone.management_socket.is_socket()


def test_a_single_request_ignores_the_batch_delay_of_its_archive(serving):
    system, management = serving
    answer = requests.post(f"{system.inference_url}/predictions/mnist/1.0", b"", timeout=ANSWER_WITHIN_S)
    assert answer.status_code == 200
    [description] = management.request("GET", "/models/mnist/1.0")
    assert (description["batchSize"], description["maxBatchDelay"]) == (8, 0)


def test_queued_requests_share_a_batch(serving):
    system, _ = serving
    with ThreadPoolExecutor(9) as clients:
        address = f"{system.inference_url}/predictions/mnist/1.1"
        answers = clients.map(lambda _: requests.post(address, b"", timeout=ANSWER_WITHIN_S).text, range(9))
        # The first batch takes the requests in the queue, the second one the rest. Unpatched, a batch has at most two.
        assert 2 < max(int(answer) for answer in answers) <= 8


@pytest.mark.usefixtures("serving")
def test_batches_use_the_thread_pool():
    [jvm] = [process for process in psutil.Process().children(recursive=True) if process.name() == "java"]
    names = [task.read_text() for task in Path(f"/proc/{jvm.pid}/task").glob("*/comm")]
    # The pool's threads. Without the pool, Java starts a thread for each batch on two cores.
    assert any(name.startswith("ForkJoinPool") for name in names)


def test_a_worker_keeps_the_memory_of_an_image_for_the_next(alone, monkeypatch):
    monkeypatch.setattr(controller.subprocess, "Popen", lambda _, **options: options["env"])
    environment = controller.start(alone)
    # Less than the rows of a canvas of 1024x1024, and glibc would map and clear them for each request.
    assert int(environment["MALLOC_MMAP_THRESHOLD_"]) >= 1024 * 4 * 1024
    assert int(environment["MALLOC_TRIM_THRESHOLD_"]) >= int(environment["MALLOC_MMAP_THRESHOLD_"])


AS_PROCESS_1 = """
import os, signal, subprocess, sys
from ops.versions import controller
os.getpid = lambda: 1
signal.signal(signal.SIGTERM, controller._stop)
torchserve = subprocess.Popen(["sleep", "60"])
print("ready", flush=True)
sys.exit(torchserve.wait() != -signal.SIGTERM)
"""


def test_the_controller_as_process_1_stops_its_process_group():
    command = [sys.executable, "-c", AS_PROCESS_1]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout.readline() == b"ready\n"
        process.terminate()  # the signal of Kubernetes
        assert process.wait(10) == 0
