"""Panels and dashboards as Grafana's JSON. The document's own fields are those of grafana-foundation-sdk, by test."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

COLUMNS = 24  # of Grafana's grid
HEIGHT = {"stat": 5, "timeseries": 8, "logs": 12}
SCHEMA_VERSION = 39  # Grafana 11 and later read it
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}


@dataclass(frozen=True)
class Panel:
    """`queries` has a query for each legend, in which {{label}} is the value of a label.

    `unit` is one of Grafana's: reqps, s, percentunit, bytes, none. A value is green from `green_from` and red below it,
    or red from `red_from` and green below it.
    """

    title: str
    unit: str
    description: str
    queries: Mapping[str, str]
    kind: str = "timeseries"
    width: int = 12
    green_from: float | None = None
    red_from: float | None = None
    source: Mapping[str, str] = field(default_factory=lambda: PROMETHEUS)


@dataclass(frozen=True)
class Dashboard:
    """`texts` are fields in which the reader types; a query uses one as $name."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    texts: Mapping[str, str] = field(default_factory=dict)


def text(dashboard: Dashboard) -> str:
    """The content of the dashboard's file."""
    return json.dumps(document(dashboard), indent=2) + "\n"


def document(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard in Grafana's format."""
    return {
        "uid": f"mnist-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["mnist"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"type": "textbox", "name": name, "label": label, "query": "", "hide": 0}
                for name, label in dashboard.texts.items()
            ]
        },
        "panels": list(_placed(dashboard.panels)),
    }


def _placed(panels: Iterable[Panel]) -> Iterable[dict[str, Any]]:
    x = y = row = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, row = 0, y + row, 0
        place = {"x": x, "y": y, "w": panel.width, "h": HEIGHT[panel.kind]}
        x, row = x + panel.width, max(row, place["h"])
        yield _panel(number, panel, place)


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.green_from is not None or panel.red_from is not None:
        below, above = ("green", "red") if panel.green_from is None else ("red", "green")
        bar = panel.red_from if panel.green_from is None else panel.green_from
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": below, "value": None}, {"color": above, "value": bar}],
        }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": dict(panel.source),
        "gridPos": dict(place),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": dict(panel.source),
                "expr": expression,
                "legendFormat": legend,
            }
            for index, (legend, expression) in enumerate(panel.queries.items())
        ],
    }
