"""The configuration of Loki and Alloy, as far as it can be checked without them."""

import re

import yaml

from tests.documents import ROOT

LOKI = yaml.safe_load((ROOT / "monitoring/loki/loki.yml").read_text(encoding="utf-8"))
ALLOY = (ROOT / "monitoring/alloy/config.alloy").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
CODE = re.sub(r"//.*", "", re.sub(r'"(?:[^"\\]|\\.)*"', '""', ALLOY))


def test_loki_forgets_after_15_days_and_sends_nothing_to_its_maker():
    assert LOKI["limits_config"]["retention_period"] == "360h"
    assert LOKI["compactor"]["retention_enabled"] is True
    assert LOKI["compactor"]["delete_request_store"] == LOKI["schema_config"]["configs"][0]["object_store"]
    assert LOKI["analytics"]["reporting_enabled"] is False


def test_loki_writes_to_its_volume_alone():
    paths = [path for path in re.findall(r"(/\w[\w/]*)", str(LOKI)) if path != "/loki"]
    assert paths
    assert all(path.startswith("/loki/") for path in paths)
    assert "loki:/loki" in COMPOSE["services"]["loki"]["volumes"]


def test_every_reference_of_alloy_leads_to_a_block():
    blocks = {f"{kind}.{label}" for kind, label in re.findall(r'^([\w.]+) "(\w+)" \{', ALLOY, re.MULTILINE)}
    references = set(re.findall(r"\b((?:loki|local)\.\w+\.\w+)\.(?:receiver|targets)\b", CODE))
    assert references
    assert references <= blocks
    assert references >= blocks - {"loki.source.file.containers"}  # the end of the chain
    for opening, closing in ("{}", "[]", "()"):
        assert CODE.count(opening) == CODE.count(closing)


def test_alloy_reads_the_name_of_the_service_from_what_the_driver_writes():
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
