"""A real Prometheus and Alertmanager report a dead part, and its recovery, to a real webhook."""

import pytest
import requests

from fixtures.waiting import eventually
from ops.native import monitoring
from tests.monitoring.conftest import Monitored

FOREIGN = {"Origin": "https://other.example"}


def test_the_webhook_receives_the_alert_of_a_dead_part_and_its_end(monitored: Monitored):
    monitored.exporter.parts_down = {"torchserve", "page"}
    try:
        alert = eventually(lambda: monitored.webhook.has("firing", alertname="ModelServerAway"))
        other = eventually(lambda: monitored.webhook.has("firing", alertname="PartAway", part="page"))
    finally:
        monitored.exporter.parts_down = set()
    assert alert["labels"]["severity"] == other["labels"]["severity"] == "page"
    assert alert["annotations"]["summary"] == "The model server does not answer"
    assert alert["annotations"]["runbook"] == "docs/operations.md#modelserveraway"
    assert monitored.webhook.has("firing", part="gateway") is None
    eventually(lambda: monitored.webhook.has("resolved", alertname="ModelServerAway"))


def test_the_watchdog_is_sent_repeatedly(monitored: Monitored):
    def came() -> int:
        return sum(alert["labels"]["alertname"] == "Watchdog" for alert in list(monitored.webhook.alerts))

    before = came()
    eventually(lambda: came() >= before + 2)


def test_no_alert_fires_for_a_healthy_system(monitored: Monitored):
    known = {"ModelServerAway", "PartAway", "Watchdog"}  # of the tests above, and what always fires
    eventually(lambda: monitored.query('up{job="alertmanager"} == 1'))
    fired = {alert["labels"]["alertname"] for alert in monitored.webhook.alerts}
    assert fired <= known


def test_both_are_scraped_by_the_configuration(monitored: Monitored):
    eventually(lambda: len(monitored.query("up == 1")) == 3)
    assert {result["metric"]["job"] for result in monitored.query("up")} == {
        "exporter",
        "prometheus",
        "alertmanager",
    }


@pytest.mark.parametrize("server", ["prometheus", "alertmanager"])
def test_foreign_web_pages_on_this_machine_cannot_find_them(monitored: Monitored, server: str):
    base, _, path = monitoring.url(monitored.system, server).rpartition("/")
    assert len(path) >= 32
    assert requests.get(f"{base}/{path}/-/ready", timeout=10).ok
    for other in ("", "/-/ready", "/metrics", "/api/v2/alerts", "/api/v1/query?query=up", "/graph"):
        answer = requests.get(f"{base}{other}", timeout=10, headers=FOREIGN, allow_redirects=False)
        assert answer.status_code == (302 if other == "" else 404)
        # Without it a browser shows nothing of the redirect to a page of another origin.
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_prometheus_rejects_foreign_pages(monitored: Monitored):
    answer = requests.get(
        f"{monitoring.url(monitored.system, 'prometheus')}/api/v1/query?query=up", headers=FOREIGN, timeout=10
    )
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_logs_do_not_contain_their_path(monitored: Monitored):
    path = (monitored.system.secrets / "monitoring_path").read_text().strip()
    for log in monitored.system.logs.glob("*.log"):
        assert path not in log.read_text()
