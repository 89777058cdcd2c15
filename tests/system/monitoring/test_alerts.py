"""End to end: errors and slow answers of the model fire the burn-rate alerts, which reach a webhook."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import archives
from fixtures.waiting import eventually
from ops.versions.state import RELEASED, archive_name
from tests.system.monitoring.conftest import Watched, shorten_windows

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FAULTY = "7.7"
# The rules' windows are 20 times shorter: 1 h and 5 min are 180 s and 15 s.
FACTOR = 20
WITHIN_S = 3600 / FACTOR
# Faults that last while a file exists: `fails` makes 2 of 100 batches fail, `slow` delays each by 0.3 s.
FAULTS = (
    "handler/predictor.py",
    b"        if not inputs:",
    b"""        import random, time
        from pathlib import Path
        if Path("{folder}/fails").exists() and random.random() < 0.02:
            raise RuntimeError("injected")
        if Path("{folder}/slow").exists():
            time.sleep(0.3)
        if not inputs:""",
)


@pytest.fixture(scope="module")
def faults(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the files that cause faults in the served version, under load; empty at first."""
    folder = tmp_path_factory.mktemp("faults")
    name, before, after = FAULTS
    change = archives.replace_code((name, before, after.replace(b"{folder}", str(folder).encode())))
    faulty = archives.copy(watched.system.model_store / archive_name(RELEASED), FAULTY, change)
    try:
        watched.configure(shorten_windows(folder / "rules", FACTOR))
        done = watched.running.ops("swap", FAULTY)
        assert done.returncode == 0, done.stdout + done.stderr
        with watched.load(4, 0.2):
            eventually(lambda: watched.query("sum(rate(mnist_requests_total{route='predict'}[15s])) > 2"))
            yield folder
    finally:
        faulty.unlink()


def _wait_for_page(watched: Watched, name: str) -> None:
    alert = eventually(lambda: watched.webhook.has("firing", alertname=name, severity="page"), WITHIN_S)
    assert alert["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
    assert alert["generatorURL"].startswith(f"{watched.system.address}/monitoring/prometheus/")


def test_two_percent_of_errors_and_then_300_ms_fire_the_burn_rate_alerts(watched: Watched, faults: Path):
    assert watched.webhook.has("firing", alertname="ErrorBudgetBurning") is None
    (faults / "fails").touch()
    _wait_for_page(watched, "ErrorBudgetBurning")
    (faults / "fails").unlink()
    (faults / "slow").touch()
    _wait_for_page(watched, "LatencyBudgetBurning")
    (faults / "slow").unlink()
    eventually(lambda: watched.webhook.has("resolved", alertname="ErrorBudgetBurning"))
