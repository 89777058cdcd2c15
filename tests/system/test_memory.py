"""How much memory the whole system takes, as its processes share it."""

from pathlib import Path

from ops import leftovers
from tests.system.running import ROOT, RunningSystem

SEVEN = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
BOUND_MIB = 1300


def _pss_mib(pid: int) -> float:
    """The proportional set size: shared pages count in parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def test_after_a_thousand_predictions_it_fits_a_small_server(system: RunningSystem):
    for _ in range(1000):
        assert system.predict(SEVEN).status_code == 200
    resident = {process.pid: _pss_mib(process.pid) for process in leftovers.find(system.system)}
    assert len(resident) > 8
    assert sum(resident.values()) <= BOUND_MIB
