"""The commands of `make` beside an S3 server."""

import subprocess
from collections.abc import Callable

import pytest

from tests.ops.s3 import SECRET_KEY, bucket_settings, s3_server
from tests.system.running import ROOT, RunningSystem


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory):
    """The settings of a store, an empty one."""
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield bucket_settings(address)


@pytest.fixture
def make(own_system: RunningSystem, store: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `make` for the own system and the store. No output shows the key."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in own_system.environment.items() if "MAKE" not in name}
        done = subprocess.run(
            ["make", *words],
            cwd=ROOT,
            env=environment | store,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert SECRET_KEY not in done.stdout + done.stderr
        return done

    return run
