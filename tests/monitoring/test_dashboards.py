"""The Grafana dashboards: files, queries and field names.

tests/system/monitoring sends their queries to the Prometheus of a real system.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.documents import ROOT
from tests.monitoring.conftest import Monitored
from tests.monitoring.panels import DOCUMENTS, GRAFANA, OF_PROMETHEUS, PANELS, queries
from tests.required import require

KINDS = {"stat", "timeseries", "logs"}
UNITS = {"reqps", "s", "percentunit", "bytes", "none"}


def test_a_panel_is_the_same_in_all_dashboards():
    seen = {}
    for panel in (panel.values[0] for panel in PANELS):
        content = {name: value for name, value in panel.items() if name not in ("id", "gridPos")}
        assert seen.setdefault(panel["title"], content) == content


def test_all_dashboards_have_the_same_settings():
    own = ("uid", "title", "templating", "panels")
    first, *others = ({k: v for k, v in document.items() if k not in own} for document in DOCUMENTS.values())
    assert all(other == first for other in others)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_grafana_knows_every_field(name):
    document = DOCUMENTS[name]
    assert _missing(document, json.loads(JSONEncoder().encode(Dashboard.from_json(document)))) == []


def test_an_unknown_field_is_reported():
    wrong = DOCUMENTS["overview"] | {"titel": "Overview"}
    assert _missing(wrong, json.loads(JSONEncoder().encode(Dashboard.from_json(wrong)))) == [".titel"]


def _missing(ours: object, theirs: object, path: str = "") -> list[str]:
    """The paths of the values in `ours` that are missing or different in `theirs`."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            one
            for key, value in ours.items()
            for one in (_missing(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"])
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            one
            for i, pair in enumerate(zip(ours, theirs, strict=True))
            for one in _missing(*pair, f"{path}[{i}]")
        ]
    return [] if ours == theirs else [path]


def test_names_are_unique_and_panels_do_not_overlap():
    assert len({document["uid"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    for document in DOCUMENTS.values():
        panels = document["panels"]
        assert (
            len({panel["title"] for panel in panels}) == len({panel["id"] for panel in panels}) == len(panels)
        )
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in panels)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_title_a_unit_a_description_and_a_provisioned_data_source(panel):
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/sources.yml").read_text(encoding="utf-8"))
    assert panel["title"].strip()
    assert panel["description"].endswith((".", ". "))
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["type"] in KINDS
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        assert target["datasource"] in [{"type": s["type"], "uid": s["uid"]} for s in sources["datasources"]]


@pytest.mark.parametrize("panel", OF_PROMETHEUS)
def test_a_query_is_valid_promql(panel):
    for query in queries(panel, "prometheus"):
        promql_parser.parse(query)


def test_an_invalid_query_is_reported():
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum(rate(mnist_requests_total[5m])")


@pytest.mark.parametrize("panel", OF_PROMETHEUS)
def test_a_query_has_a_result_in_a_real_prometheus(monitored: Monitored, panel):
    for query in queries(panel, "prometheus"):
        results = monitored.query(query)
        assert results, query
        assert all(result["value"][1] != "NaN" for result in results), query


@pytest.mark.parametrize("panel", OF_PROMETHEUS)
def test_a_legend_names_labels_of_the_result(monitored: Monitored, panel):
    for target, query in zip(panel["targets"], queries(panel, "prometheus"), strict=True):
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        for result in monitored.query(query):
            assert labels - {"alertname"} <= result["metric"].keys(), query


@pytest.mark.slow
def test_every_query_of_the_logs_is_valid_logql(tmp_path: Path):
    require(shutil.which("npm"), "npm is not installed; Debian: apt-get install npm")
    shutil.copytree(ROOT / "tests/monitoring/logql", tmp_path, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=tmp_path, check=True, timeout=120)
    found = [query for panel in DOCUMENTS["logs"]["panels"] for query in queries(panel, "loki")]
    assert len(found) == len(DOCUMENTS["logs"]["panels"])
    assert _invalid_logql(tmp_path, found) == []
    assert _invalid_logql(tmp_path, ["{service=", *found]) == ["{service="]


def _invalid_logql(folder: Path, queries: list[str]) -> list[str]:
    return subprocess.run(
        ["node", "parse.js"], cwd=folder, input="\n".join(queries), capture_output=True, text=True, check=True
    ).stdout.splitlines()
