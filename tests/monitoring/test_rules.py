"""The configuration of Prometheus and Alertmanager, checked by their own tools. Each rule has a unit test."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.documents import ALERTMANAGER, ROOT, alertmanager_with_receivers, anchors
from tests.monitoring.programs import program

PROMETHEUS = ROOT / "monitoring" / "prometheus"
FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted(Path(__file__).with_name("rules").glob("*.yml"))


def _load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


RULES = [rule for path in FILES for group in _load(path)["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
UNIT_TESTS = [test for path in TESTS for test in _load(path)["tests"]]


def _run(name: str, *arguments: str | Path) -> str:
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_configuration_and_its_rules():
    said = _run("promtool", "check", "config", "--lint-fatal", PROMETHEUS / "prometheus.yml")
    assert f"SUCCESS: {len(FILES)} rule files found" in said


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_unit_tests(path):
    _run("promtool", "test", "rules", path)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']} {rule['labels']['severity']}")
def test_an_alert_has_unit_tests_with_and_without_firing(rule):
    cases = [case for test in UNIT_TESTS for case in test["alert_rule_test"]]
    expected = [case.get("exp_alerts", []) for case in cases if case["alertname"] == rule["alert"]]
    severities = {alert["exp_labels"]["severity"] for alerts in expected for alert in alerts}
    assert rule["labels"]["severity"] in severities
    assert ([] in expected) == (rule["alert"] != "Watchdog")  # it always fires


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']} {rule['labels']['severity']}")
def test_an_alert_has_a_description_and_a_runbook(rule):
    assert rule["labels"]["severity"] in (("none",) if rule["alert"] == "Watchdog" else ("page", "ticket"))
    assert {"summary", "description", "runbook"} == rule["annotations"].keys()
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    assert rule["alert"].lower() in anchors(ROOT / "docs" / "operations.md")


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if "record" in rule],
    ids=lambda rule: f"{rule['record']} {rule['labels']['slo']}",
)
def test_a_recorded_series_has_a_unit_test(rule):
    selector = f'{rule["record"]}{{slo="{rule["labels"]["slo"]}"}}'
    assert any(selector in case["expr"] for test in UNIT_TESTS for case in test.get("promql_expr_test", ()))


def test_prometheus_uses_dns_and_the_paths_of_the_compose_file():
    configuration = _load(PROMETHEUS / "prometheus.yml")
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for job in configuration["scrape_configs"]:
        [discovery] = job["dns_sd_configs"]
        assert discovery["names"] == [job["job_name"]]
        url = re.search(r"--web.external-url=\S+?(/monitoring/\w+)", str(services.get(job["job_name"])))
        assert job.get("metrics_path", "/metrics") == (f"{url[1]}/metrics" if url else "/metrics")


@pytest.fixture
def with_receivers(tmp_path: Path) -> Path:
    path = tmp_path / "alertmanager.yml"
    path.write_text(alertmanager_with_receivers(), encoding="utf-8")
    return path


def test_alertmanager_accepts_the_configuration(with_receivers: Path):
    _run("amtool", "check-config", ALERTMANAGER)
    _run("amtool", "check-config", with_receivers)


def test_only_with_the_example_addresses_an_alert_is_sent(with_receivers: Path):
    default, example = _load(ALERTMANAGER), _load(with_receivers)
    assert all(receiver.keys() == {"name"} for receiver in default["receivers"])
    assert all(receiver["webhook_configs"] for receiver in example["receivers"])
    assert [bool(receiver.get("email_configs")) for receiver in example["receivers"]] == [False, False, True]


@pytest.mark.parametrize(
    ("label", "receiver"),
    [
        ("severity=page", "webhook-and-email"),
        ("severity=ticket", "webhook"),
        ("alertname=Watchdog", "dead-mans-switch"),
    ],
)
def test_pages_are_mailed_and_the_watchdog_is_sent_only_to_the_switch(label, receiver):
    said = _run(
        "amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}",
        "--verify.receivers", receiver, label,
    )  # fmt: skip
    assert receiver in said
