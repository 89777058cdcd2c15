"""The charts of the pages Insights and Models: the Vega-Lite specifications of charts.json, with counts of drawings.

Their colours are distinct in both themes, and for red-green colour blindness.
"""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from ui.digits import DIGITS
from ui.insights import CONFIDENCE_BINS, Insights, latency_edge_ms

Specification: TypeAlias = dict[str, Any]
FILE = Path(__file__).with_suffix(".json")
# The bar of a single day would be as wide as the chart. 7 days are the shortest period of the page.
FEWEST_DAYS = 7
# Above this, Vega's own axis marks are at least a day apart.
MOST_MARKED_DAYS = 31
RESULTS = {True: "right", False: "wrong", None: "not labelled"}


def answers_by_day(found: Insights) -> Specification:
    """A bar for each UTC day, coloured by version, up to the last day with answers."""
    end = max(day for day, _ in found.by_day) + timedelta(days=1)
    start = min(*(day for day, _ in found.by_day), end - timedelta(days=FEWEST_DAYS))
    chart = _chart(
        "answers_by_day",
        [{"day": day.isoformat(), "model": model, "answers": n} for (day, model), n in found.by_day.items()],
    )
    days = chart["encoding"]["x"]
    days["scale"]["domain"] = [_midnight(start), _midnight(end)]
    if (end - start).days <= MOST_MARKED_DAYS:
        days["axis"]["tickCount"] = "day"
    return chart


def accuracy(found: Insights, estimates: Mapping[str, float]) -> Specification | None:
    """For each version: accuracy of labelled drawings with its 95 % interval, and estimated accuracy of all.

    None without any accuracy.
    """
    columns = ("model", "kind", "accuracy", "low", "high", "labelled")
    rows = [
        *((name, "labelled", s.value, *s.interval, s.labelled) for name, s in found.accuracies.items()),
        *((name, "estimated", value, value, value, None) for name, value in estimates.items()),
    ]
    if not rows:
        return None
    chart = _chart("accuracy", [dict(zip(columns, row, strict=True)) for row in rows])
    for layer in chart["layer"]:
        lowest = max(0.0, min(low for _, _, _, low, _, _ in rows) - 0.02)
        layer["encoding"]["x"]["scale"] = {"domain": [lowest, 1.0], "nice": False}
    return chart


def confusion(found: Insights, ink: str) -> Specification | None:
    """Confusion matrix of the digits: a square is darker for a larger share of its label's drawings.

    Opacity is the square root of the share, so one wrong answer in a hundred is visible. `ink` is the colour of a
    number on a pale square. None without labelled drawings.
    """
    if not found.confusion:
        return None
    rows = []
    for label in DIGITS:
        counts = [found.confusion.get((label, answer), 0) for answer in DIGITS]
        for answer, count in enumerate(counts):
            share = count / sum(counts) if count else 0.0
            number = {"text": _short(count), "ink": "#ffffff" if share > 1 / 3 else ink}
            square = {"drawn": label, "read": answer, "kind": RESULTS[label == answer]}
            rows.append({**square, **number, "count": count, "share": share})
    return _chart("confusion", rows)


def confidence(found: Insights) -> Specification:
    """A bar for each bin of confidence, coloured by label: right, wrong or not labelled."""
    rows = [
        {**_bin(index), "answers": n, "label": RESULTS[right], "order": list(RESULTS).index(right)}
        for (right, index), n in found.confidences.items()
    ]
    return _chart("confidence", rows)


def confidence_by_model(found: Mapping[str, Insights]) -> Specification:
    """A line for each version: the share of its answers in each bin of confidence."""
    rows = []
    for name, counts in found.items():
        answers = Counter[int]()
        for (_, index), n in counts.confidences.items():
            answers[index] += n
        answers[CONFIDENCE_BINS] = answers[CONFIDENCE_BINS - 1]  # the line of the last bin needs an end
        for index in range(CONFIDENCE_BINS + 1):
            rows.append({"model": name, **_bin(index), "share": answers[index] / counts.answers})
    return _chart("confidence_by_model", rows)


def latency(found: Insights) -> Specification:
    """Bars on a logarithmic scale of milliseconds, with lines at the median and the 95th percentile."""
    rows = [
        {"low": latency_edge_ms(index), "high": latency_edge_ms(index + 1), "answers": n, "zero": 0}
        for index, n in found.latencies.items()
    ]
    chart = _chart("latency", rows)
    percentiles = {"median": found.latency_ms(0.5), "95th percentile": found.latency_ms(0.95)}
    lines = [{"ms": value, "text": name} for name, value in percentiles.items()]
    chart["layer"][1]["data"] = {"values": lines}
    return chart


def _chart(name: str, rows: list[dict[str, Any]]) -> Specification:
    specification: Specification = json.loads(FILE.read_text(encoding="utf-8"))[name]
    # A named dataset: for other data Streamlit lays out an empty chart first, whose axis has no room for its title.
    return specification | {"data": {"name": "rows"}, "datasets": {"rows": rows}}


def _bin(index: int) -> dict[str, float]:
    return {"low": index / CONFIDENCE_BINS, "high": (index + 1) / CONFIDENCE_BINS}


def _midnight(day: date) -> dict[str, int | bool]:
    return {"year": day.year, "month": day.month, "date": day.day, "utc": True}


def _short(count: int) -> str:
    """A number that fits a small square."""
    if count < 1000:
        return str(count) if count else ""
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"
