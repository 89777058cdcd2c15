"""Write the Grafana dashboards of dashboards.toml in Grafana's JSON format:

    python -m monitoring.grafana.dashboards

Tests compare the JSON files with this module's output, and their fields with grafana-foundation-sdk.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
COLUMNS = 24  # of Grafana's grid
HEIGHT = {"stat": 5, "timeseries": 8, "logs": 12}
SCHEMA_VERSION = 39  # Grafana 11 and later read it


@dataclass(frozen=True)
class Panel:
    """One panel.

    `unit` is one of Grafana's: reqps, s, percentunit, bytes, none. `queries` maps a legend to a query; {{label}} in a
    legend is the value of a label. `quantiles`, a selector of histogram buckets, stands for three queries: median, 90th
    and 99th percentile. Values from `green_from` are green and lower ones red; values from `red_from` are red and lower
    ones green.
    """

    description: str
    unit: str = "none"
    queries: Mapping[str, str] = field(default_factory=dict)
    quantiles: str = ""
    kind: str = "timeseries"
    width: int = 12
    green_from: float | None = None
    red_from: float | None = None
    source: str = "prometheus"

    def list_queries(self) -> Iterator[tuple[str, str]]:
        """Legend and query of each series."""
        yield from self.queries.items()
        if self.quantiles:
            series = f"sum by (le) (rate({self.quantiles}[$__rate_interval]))"
            for percent in (50, 90, 99):
                yield f"P{percent}", f"histogram_quantile({percent / 100:.2g}, {series})"


def render_dashboards() -> dict[str, str]:
    """The content of each dashboard's file, by its name."""
    content = tomllib.loads((FOLDER / "dashboards.toml").read_text(encoding="utf-8"))
    panels = {title: Panel(**fields) for title, fields in content["panels"].items()}
    return {
        f"{name}.json": json.dumps(_dashboard(name, fields, panels), indent=2) + "\n"
        for name, fields in content["dashboards"].items()
    }


def _dashboard(name: str, fields: Mapping[str, Any], panels: Mapping[str, Panel]) -> dict[str, Any]:
    return {
        "uid": f"mnist-{name}",
        "title": fields["title"],
        "tags": ["mnist"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "timezone": "browser",
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {"type": "textbox", "name": variable, "label": label, "query": "", "hide": 0}
                for variable, label in fields.get("texts", {}).items()
            ]
        },
        "panels": list(_place((title, panels[title]) for title in fields["panels"])),
    }


def _place(panels: Iterable[tuple[str, Panel]]) -> Iterator[dict[str, Any]]:
    """The panels from left to right, row by row."""
    x = y = row = 0
    for number, (title, panel) in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, row = 0, y + row, 0
        position = {"x": x, "y": y, "w": panel.width, "h": HEIGHT[panel.kind]}
        x, row = x + panel.width, max(row, HEIGHT[panel.kind])
        yield _panel(number, title, panel, position)


def _panel(number: int, title: str, panel: Panel, position: dict[str, int]) -> dict[str, Any]:
    source = {"type": panel.source, "uid": panel.source}
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.green_from is not None or panel.red_from is not None:
        below, above = ("green", "red") if panel.green_from is None else ("red", "green")
        limit = panel.red_from if panel.green_from is None else panel.green_from
        steps = [{"color": below, "value": None}, {"color": above, "value": limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {
        "id": number,
        "type": panel.kind,
        "title": title,
        "description": panel.description,
        "datasource": source,
        "gridPos": position,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.list_queries())
        ],
    }


if __name__ == "__main__":
    for file, text in render_dashboards().items():
        (FOLDER / "dashboards" / file).write_text(text, encoding="utf-8")
