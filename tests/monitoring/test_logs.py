"""The configuration of Loki and Alloy, checked without running them."""

import re
import subprocess

import pytest
import yaml

from tests.documents import ROOT
from tests.monitoring.programs import program

LOKI = yaml.safe_load((ROOT / "monitoring/loki/loki.yml").read_text(encoding="utf-8"))
ALLOY = (ROOT / "monitoring/alloy/config.alloy").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
CODE = re.sub(r"//.*", "", re.sub(r'"(?:[^"\\]|\\.)*"|`[^`]*`', '""', ALLOY))
[TEXT] = re.findall(r"expression = `(.*)`", ALLOY)
[LEVEL] = re.findall(r"template = `(.*)`", ALLOY)


def test_loki_keeps_15_days_and_sends_no_usage_data():
    assert LOKI["limits_config"]["retention_period"] == "360h"
    assert LOKI["compactor"]["retention_enabled"] is True
    assert LOKI["compactor"]["delete_request_store"] == LOKI["schema_config"]["configs"][0]["object_store"]
    assert LOKI["analytics"]["reporting_enabled"] is False


def test_loki_writes_only_to_its_volume():
    paths = [path for path in re.findall(r"(/\w[\w/]*)", str(LOKI)) if path != "/loki"]
    assert paths
    assert all(path.startswith("/loki/") for path in paths)
    assert "loki:/loki" in COMPOSE["services"]["loki"]["volumes"]


def test_every_reference_of_alloy_names_a_block():
    blocks = {f"{kind}.{label}" for kind, label in re.findall(r'^([\w.]+) "(\w+)" \{', ALLOY, re.MULTILINE)}
    references = set(re.findall(r"\b((?:loki|local)\.\w+\.\w+)\.(?:receiver|targets)\b", CODE))
    assert references
    assert references <= blocks
    assert references >= blocks - {"loki.source.file.containers"}  # the end of the chain
    for opening, closing in ("{}", "[]", "()"):
        assert CODE.count(opening) == CODE.count(closing)


def test_alloy_reads_the_service_name_from_the_logging_driver():
    logging = COMPOSE["x-confined"]["logging"]
    assert logging["driver"] == "json-file"
    labels = logging["options"]["labels"].split(",")
    assert labels == re.findall(r'attrs\.\\"([\w.]+)\\"', ALLOY)
    for service in COMPOSE["services"].values():
        assert service["logging"] == logging


def test_alloy_and_loki_have_no_secret_and_no_socket_of_the_engine():
    for name in ("alloy", "loki"):
        service = COMPOSE["services"][name]
        assert "secrets" not in service
        assert "docker.sock" not in str(service)
    assert not re.search("password|token|secret|basic_auth", ALLOY + str(LOKI), re.IGNORECASE)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-11-30 02:39:30.022 UTC [7] LOG:  database system is ready to accept connections", "LOG"),
        ('2026-11-30 02:39:30.022 UTC [71] FATAL:  password authentication failed for user "page"', "FATAL"),
        ("2026/11/30 02:39:30 [error] 7#7: *4 upstream timed out (110: Connection timed out)", "error"),
        ("2026/11/30 02:39:30 [emerg] 1#1: host not found", "emerg"),
    ],
)
def test_alloy_finds_the_level_of_a_line_of_postgresql_and_of_nginx(line, level):
    assert re.match(TEXT, line)["level"] == level


@pytest.mark.parametrize(
    "line", ['{"level": "error", "message": "a"}', "Setting 'X' has value 'Y'.", "\tSELECT 1"]
)
def test_alloy_finds_no_level_in_other_lines(line):
    assert re.match(TEXT, line) is None


LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "critical": "critical",
    # nginx, PostgreSQL, Prometheus
    "notice": "info",
    "warn": "warning",
    "crit": "critical",
    "alert": "critical",
    "emerg": "critical",
    "LOG": "info",
    "STATEMENT": "info",
    "WARNING": "warning",
    "ERROR": "error",
    "FATAL": "critical",
    "PANIC": "critical",
    "INFO": "info",
    "WARN": "warning",
}


def test_alloy_translates_each_level_to_those_of_json_logs(tmp_path):
    """Prometheus' annotations use the same template language."""
    annotation = LEVEL.replace(".Value", ".Labels.level")
    rule = {"alert": "A", "expr": "line", "annotations": {"level": f"<{annotation}>"}}
    expected = [
        {"exp_labels": {"level": level}, "exp_annotations": {"level": f"<{name}>"}}
        for level, name in LEVELS.items()
    ]
    test = {
        "input_series": [{"series": f'line{{level="{level}"}}', "values": "1"} for level in ("", *LEVELS)],
        "alert_rule_test": [
            {
                "alertname": "A",
                "eval_time": "0m",
                "exp_alerts": [{"exp_annotations": {"level": "<>"}}, *expected],
            }
        ],
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "a", "rules": [rule]}]}))
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": [test]}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", tmp_path / "test.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
