"""A part that was killed under load and stays down is named within a minute, by its metrics and by one alert."""

import os
import signal
import uuid
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fixtures.waiting import eventually
from ops.native import supervisor
from tests.system.monitoring.conftest import INTERVAL_S, Watched, shorten_intervals
from tests.system.over_http.test_deliverer import RECORD
from ui.outbox import Outbox

pytestmark = pytest.mark.slow
# One minute minus the time that shorter intervals save, minus 10 s of waiting for more alerts.
WITHIN_S = 60 - 2 * (10 - INTERVAL_S) - 10
ALERTS = {
    "gateway": "PartAway",
    "page": "PartAway",
    "deliverer": "PartAway",
    "postgres": "PartAway",
    "torchserve": "ModelServerAway",
    "exporter": "MonitoringAway",
    "alertmanager": "MonitoringAway",
}  # A dead man's switch on another server reports a dead Prometheus.
# Parts whose state is unknown while another part is down: the gateway reports the state of the model, and the deliverer
# waits for PostgreSQL.
UNKNOWN = {"gateway": {"torchserve"}, "postgres": {"deliverer"}}
PARTS = {"gateway", "page", "deliverer", "postgres", "torchserve"}


@pytest.fixture(scope="module")
def loaded(watched: Watched) -> Iterator[Watched]:
    watched.configure(shorten_intervals)
    eventually(lambda: _up(watched) == dict.fromkeys(PARTS, 1.0))
    with watched.load(4, 0.02):
        yield watched


@pytest.mark.parametrize("part", ALERTS)
def test_one_alert_names_a_dead_part(loaded: Watched, part):
    eventually(lambda: _firing(loaded) == set())
    before = _count_requests(loaded)
    outbox = Outbox(loaded.system.outbox)
    killed = datetime.now(UTC)
    with _kill(loaded, part):
        died = datetime.now(UTC)
        outbox.put(replace(RECORD, id=uuid.uuid4(), created_at=died))
        wanted = ALERTS[part], part
        # Without Alertmanager, only Prometheus has the alert.
        alerts = (
            (lambda: _firing(loaded)) if part == "alertmanager" else (lambda: _sent_alerts(loaded, killed))
        )
        eventually(lambda: wanted in alerts(), WITHIN_S)
        print(f"{part}: {(datetime.now(UTC) - killed).seconds} s after the kill")
        if part in PARTS:
            others = PARTS - {part} - UNKNOWN.get(part, set())
            eventually(lambda: _up(loaded).items() >= {part: 0.0, **dict.fromkeys(others, 1.0)}.items())
        assert alerts() == {wanted}
    outbox.close()
    eventually(lambda: _up(loaded) == dict.fromkeys(PARTS, 1.0), 90)
    eventually(lambda: _firing(loaded) == set())
    assert _count_requests(loaded) >= before


def _sent_alerts(watched: Watched, since: datetime) -> set[tuple[str, str]]:
    """Name and subject of the alerts at the webhook, except burn-rate alerts, which any dead part can fire."""
    return {
        (alert["labels"]["alertname"], alert["labels"].get("part") or alert["labels"]["job"])
        for alert in list(watched.webhook.alerts)
        if alert["labels"]["severity"] == "page"
        and "slo" not in alert["labels"]
        and datetime.fromisoformat(alert["startsAt"]) > since
    }


@contextmanager
def _kill(watched: Watched, part: str) -> Iterator[None]:
    """Kill a part with its children, and prevent its restart until the end of the block.

    Without its controller, TorchServe would answer until the next controller ends it.
    """
    os.killpg((supervisor.processes(watched.system) or {})[part]["pid"], signal.SIGKILL)
    eventually(lambda: _stop(watched, part))
    try:
        yield
    finally:
        supervisor.start_part(watched.system, part)


def _stop(watched: Watched, part: str) -> bool:
    """Stop a part; False while the supervisor refuses it, between a death and the restart."""
    with supervisor.remote(watched.system) as interface, suppress(xmlrpc.client.Fault):
        return bool(interface.stopProcess(part))
    return False


def _up(watched: Watched) -> dict[str, float]:
    return {result["metric"]["part"]: float(result["value"][1]) for result in watched.query("mnist_part_up")}


def _firing(watched: Watched) -> set[tuple[str, str]]:
    """Name and subject of the alerts that fire now, except burn-rate alerts."""
    return {
        (result["metric"]["alertname"], result["metric"].get("part") or result["metric"]["job"])
        for result in watched.query('ALERTS{alertstate="firing",severity="page",slo=""}')
    }


def _count_requests(watched: Watched) -> float:
    """The exporter's number of requests, which must not decrease after a part's death."""
    [result] = eventually(lambda: watched.query("sum(mnist_requests_total)"))
    return float(result["value"][1])
