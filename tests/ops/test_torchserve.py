"""TorchServe as it is started here, without its keeper: its management answers on a Unix socket."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ops import torchserve
from ops.management import Management, RefusedError
from ops.system import ROOT, System
from ops.versions import archive_name
from tests.system.running import eventually

pytestmark = pytest.mark.service


@pytest.fixture
def alone(system) -> Iterator[System]:
    """A system of which TorchServe alone is started, with two versions that begin with no worker."""
    for version in ("1.0", "1.1"):
        model = {"modelName": "mnist", "modelVersion": version, "handler": "noop_handler.py"}
        with zipfile.ZipFile(system.model_store / archive_name(version), "w") as archive:
            manifest = {"runtime": "python", "model": model, "archiverVersion": "0.12.0"}
            archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
            archive.write(ROOT / "benchmarks" / "noop_handler.py", "noop_handler.py")
    yield system
    shutil.rmtree(system.management_socket.parent)


@contextmanager
def _started(system: System) -> Iterator[Management]:
    """TorchServe's management; on leaving, TorchServe is killed and removes nothing."""
    with torchserve.start(system) as launcher:
        management = Management(system.management_address)
        try:
            eventually(lambda: management.registered() == {})
            yield management
        finally:
            for process in [*psutil.Process(launcher.pid).children(recursive=True), launcher]:
                process.kill()


def test_versions_are_managed_through_the_socket_after_a_kill_too(alone):
    for _ in range(2):  # the second start finds the socket that the first has left
        with _started(alone) as management:
            management.register("1.0")
            management.register("1.1")
            assert management.default() == "1.0"
            management.set_default("1.1")
            assert management.default() == "1.1"
            management.scale("1.0", 1)
            eventually(lambda management=management: management.registered()["1.0"].is_up)
            management.unregister("1.0")
            assert management.registered().keys() == {"1.1"}
            with pytest.raises(RefusedError):
                management.register("1.2")
        assert alone.management_socket.is_socket()
