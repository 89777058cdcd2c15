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
    processes = {
        process.pid
        for parent in leftovers.find(system.system)
        for process in (parent, *parent.children(recursive=True))
    }
    assert len(processes) > 12
    assert sum(map(_pss_mib, processes)) <= BOUND_MIB
