"""A part that is killed under load and stays away is named within a minute: by its metrics and by one alert."""

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
from tests.system.monitoring.conftest import INTERVAL_S, Watched, often
from tests.system.over_http.test_deliverer import RECORD
from ui.outbox import Outbox

pytestmark = pytest.mark.slow
# A real system scrapes and evaluates each 10 s, and then waits 10 s for more alerts.
WITHIN_S = 60 - 2 * (10 - INTERVAL_S) - 10
ALERTS = {
    "gateway": "PartAway",
    "page": "PartAway",
    "deliverer": "PartAway",
    "postgres": "PartAway",
    "torchserve": "ModelServerAway",
    "exporter": "MonitoringAway",
    "alertmanager": "MonitoringAway",
}  # Of a dead Prometheus a dead man's switch tells, outside of this server.
# Nobody knows of the model but the gateway; what waits for the database is the deliverer's, too.
UNKNOWN = {"gateway": {"torchserve"}, "postgres": {"deliverer"}}
PARTS = {"gateway", "page", "deliverer", "postgres", "torchserve"}


@pytest.fixture(scope="module")
def loaded(watched: Watched) -> Iterator[Watched]:
    watched.configure(often)
    eventually(lambda: _up(watched) == dict.fromkeys(PARTS, 1.0))
    with watched.load(4, 0.02):
        yield watched


@pytest.mark.parametrize("part", ALERTS)
def test_a_dead_part_is_named(loaded: Watched, part):
    eventually(lambda: _firing(loaded) == set())
    counted = _counted(loaded)
    outbox = Outbox(loaded.system.outbox)
    killed = datetime.now(UTC)
    with _dead(loaded, part):
        died = datetime.now(UTC)
        outbox.put(replace(RECORD, id=uuid.uuid4(), created_at=died))
        wanted = ALERTS[part], part
        # Without Alertmanager only Prometheus knows.
        alerts = (lambda: _firing(loaded)) if part == "alertmanager" else (lambda: _sent(loaded, killed))
        eventually(lambda: wanted in alerts(), WITHIN_S)
        print(f"{part}: {(datetime.now(UTC) - killed).seconds} s after the kill")
        if part in PARTS:
            others = PARTS - {part} - UNKNOWN.get(part, set())
            eventually(lambda: _up(loaded).items() >= {part: 0.0, **dict.fromkeys(others, 1.0)}.items())
        assert alerts() == {wanted}
    outbox.close()
    eventually(lambda: _up(loaded) == dict.fromkeys(PARTS, 1.0), 90)
    eventually(lambda: _firing(loaded) == set())
    assert _counted(loaded) >= counted


def _sent(watched: Watched, since: datetime) -> set[tuple[str, str]]:
    """Name and subject of what the webhook was told, but for the objectives': any part's death burns their budget."""
    return {
        (alert["labels"]["alertname"], alert["labels"].get("part") or alert["labels"]["job"])
        for alert in list(watched.webhook.alerts)
        if alert["labels"]["severity"] == "page"
        and "slo" not in alert["labels"]
        and datetime.fromisoformat(alert["startsAt"]) > since
    }


@contextmanager
def _dead(watched: Watched, part: str) -> Iterator[None]:
    """Killed with its children, and kept from being started anew.

    A TorchServe whose controller dies alone answers until the next controller ends it.
    """
    os.killpg((supervisor.processes(watched.system) or {})[part]["pid"], signal.SIGKILL)
    eventually(lambda: _stops(watched, part))
    try:
        yield
    finally:
        supervisor.start_part(watched.system, part)


def _stops(watched: Watched, part: str) -> bool:
    """Whether the supervisor stops a part; it refuses between a death and the next start."""
    with supervisor.remote(watched.system) as interface, suppress(xmlrpc.client.Fault):
        return bool(interface.stopProcess(part))
    return False


def _up(watched: Watched) -> dict[str, float]:
    return {result["metric"]["part"]: float(result["value"][1]) for result in watched.query("mnist_part_up")}


def _firing(watched: Watched) -> set[tuple[str, str]]:
    """The same of what fires now."""
    return {
        (result["metric"]["alertname"], result["metric"].get("part") or result["metric"]["job"])
        for result in watched.query('ALERTS{alertstate="firing",severity="page",slo=""}')
    }


def _counted(watched: Watched) -> float:
    """Requests, as the exporter counts them; they are more after each part's death, and never fewer."""
    [result] = eventually(lambda: watched.query("sum(mnist_requests_total)"))
    return float(result["value"][1])
