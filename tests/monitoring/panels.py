"""The panels and queries in the JSON files of the Grafana dashboards."""

import json
import re

import pytest

from tests.documents import ROOT

GRAFANA = ROOT / "monitoring" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
DOCUMENTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, document in DOCUMENTS.items()
    for panel in document["panels"]
]
OF_PROMETHEUS = [panel for panel in PANELS if panel.values[0]["datasource"]["type"] == "prometheus"]


def queries(panel: dict, source: str) -> list[str]:
    """The queries of a panel, with values for Grafana's variables."""
    values = {"$__rate_interval": "1m", "$__range": "1h", "$drawing": "a", "$request": "b"}
    found = [target["expr"] for target in panel["targets"] if target["datasource"]["type"] == source]
    return [re.sub(r"\$\w+", lambda match: values[match[0]], query) for query in found]
