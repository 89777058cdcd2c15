"""Prometheus and Alertmanager of the profile `monitoring`, without the other services."""

import json

import requests
import yaml

from fixtures.waiting import eventually
from tests.containers.deployment import Deployment
from tests.documents import alertmanager_with_receivers

PROMETHEUS = "http://127.0.0.1:9090/monitoring/prometheus"
STARTED = ("prometheus", "alertmanager")


def _up(bare: Deployment) -> dict[str, str]:
    output = bare.compose(
        "exec", "-T", "prometheus", "promtool", "query", "instant", "-o", "json", PROMETHEUS, "up"
    )
    return {result["metric"]["job"]: result["value"][1] for result in json.loads(output)}


def test_prometheus_finds_its_targets_by_dns_and_publishes_no_port(bare: Deployment):
    bare.compose("--profile", "monitoring", "up", "--detach", "--wait", "--no-deps", *STARTED)
    found = eventually(lambda: (up := _up(bare)).keys() >= {*STARTED} and up, 60)
    assert {found[job] for job in STARTED} == {"1"}
    # The exporter does not run and has no address, which causes an alert.
    eventually(lambda: "exporter cannot be scraped" in _alerts(bare), 90)
    assert "<title>MNIST Digit Classifier: overview</title>" in _overview(bare)
    # Prometheus shows firing alerts from the second evaluation on.
    eventually(lambda: "MonitoringAway" in _overview(bare))
    for service in STARTED:
        assert not any(bare.inspect(service)["NetworkSettings"]["Ports"].values())
        assert bare.inspect(service)["HostConfig"]["ReadonlyRootfs"]
    _expect_json(bare, "prometheus", "alertmanager")
    # A stopped container has no address.
    bare.compose("stop", "alertmanager")
    eventually(lambda: "<td>MonitoringAway</td><td>page</td><td>alertmanager" in _overview(bare), 120)


def _expect_json(bare: Deployment, *services: str) -> None:
    for service in services:
        lines = bare.compose("logs", "--no-log-prefix", service).splitlines()
        assert lines
        for line in lines:
            assert "level" in json.loads(line[line.index("{") :])  # compose may add a prefix


def _overview(bare: Deployment) -> str:
    overview = f"wget -qO- {PROMETHEUS}/consoles/overview.html"
    return bare.compose("exec", "-T", "-e", "http_proxy=", "prometheus", "sh", "-c", overview)


def _alerts(bare: Deployment) -> str:
    """The alerts that Alertmanager received."""
    return bare.compose(
        "exec", "-T", "alertmanager", "amtool", "alert", "query",
        "--alertmanager.url=http://127.0.0.1:9093/monitoring/alertmanager",
    )  # fmt: skip


def test_alertmanager_reads_the_operators_configuration(bare: Deployment):
    secrets = bare.folder / "var" / "secrets"
    secrets.mkdir(parents=True)
    secrets.chmod(0o700)
    (secrets / "alertmanager.yml").write_text(alertmanager_with_receivers(), encoding="utf-8")
    (secrets / "alertmanager.yml").chmod(0o444)
    bare.compose(
        "--profile", "monitoring", "up", "--detach", "--wait", "alertmanager",
        ALERTMANAGER_CONFIG="var/secrets/alertmanager.yml",
    )  # fmt: skip
    output = bare.compose(
        "exec", "-T", "alertmanager", "amtool", "config", "show",
        "--alertmanager.url=http://127.0.0.1:9093/monitoring/alertmanager",
    )  # fmt: skip
    names = [receiver["name"] for receiver in yaml.safe_load(output)["receivers"]]
    assert names == ["dead-mans-switch", "webhook", "webhook-and-email"]
    assert "THE-PASSWORD" not in output


def test_the_gateway_requires_the_operators_password(deployment: Deployment):
    password = (deployment.folder / "var/secrets/operator_password").read_text(encoding="ascii").strip()

    def get(path: str = "/monitoring/", password: str = password) -> requests.Response:
        return requests.get(
            deployment.address + path, auth=("operator", password), timeout=30, verify=deployment.certificate
        )

    assert get().status_code == 404
    assert "MONITORING=1" in get().json()["message"]
    deployment.compose("--profile", "monitoring", "up", "--detach", "--wait", "--no-deps", *STARTED)
    try:
        assert (
            "<title>MNIST Digit Classifier: overview</title>" in eventually(lambda: get().ok and get()).text
        )
        assert get("/monitoring/alertmanager/api/v2/status").ok
        assert get("/monitoring/grafana/").status_code == 404  # it does not run here
        assert get(password=password.swapcase()).status_code == 401
    finally:
        deployment.compose("--profile", "monitoring", "rm", "--stop", "--force", *STARTED)
