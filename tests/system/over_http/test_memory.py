"""The memory of the whole system, as `make status` shows it."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops.native import supervisor
from ops.native.status import memory_mib
from tests.system.running import ROOT, RunningSystem

SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
BOUND_MIB = 1300


def _cuda_of_torch(system: RunningSystem) -> str:
    """The CUDA version that the serving environment's torch was built for; empty for a CPU build."""
    command = [system.system.python("serve"), "-c", "import torch; print(torch.version.cuda or '')"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_system_fits_a_small_server_after_a_thousand_predictions(system: RunningSystem):
    if cuda := _cuda_of_torch(system):
        pytest.skip(
            f"this torch is built for CUDA {cuda}, which doubles a worker; the bound is for a CPU build (TORCH_INDEX)"
        )
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: system.predict(SEVEN).status_code, range(1000)))
    assert set(answers) == {200}
    resident = {part: memory_mib(info["pid"]) for part, info in supervisor.processes(system.system).items()}
    assert all(resident.values())
    supervisord = memory_mib(int((system.system.run / "supervisord.pid").read_text()))
    # supervisord started all parts, so its sum includes them.
    assert sum(resident.values()) < supervisord <= BOUND_MIB
