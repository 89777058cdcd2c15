"""The page Models for operators: the versions side by side, and whether their accuracies differ significantly."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from ui import charts, history
from ui.answer import NO_VALUE
from ui.database import Database, DatabaseError
from ui.insights import Insights, Share, difference, insights
from ui.insights_page import NO_DRAWINGS, UNAVAILABLE, choose_period, show_chart, show_empty, table_html

NO_LABELS = f"{NO_VALUE} <span class='small'>no labels yet</span>"


def show(database: Database) -> None:
    """Show the page below its heading."""
    try:
        with database.reading() as connection:
            since = choose_period("models-period")
            counts = {
                version: insights(connection, since, version) for version in history.versions(connection)
            }
    except DatabaseError:
        show_empty(UNAVAILABLE)
        return
    found = {version: count for version, count in counts.items() if count.answers}
    if not found:
        show_empty(NO_DRAWINGS)
        return
    st.html(f'<div class="models">{_table(found)}</div>')
    note = "share of each version's drawings, bins of 5 percentage points"
    with st.container(key="charts"):
        show_chart("confidence-by-model", "Confidence distribution", note, charts.confidence_by_model(found))


def _table(found: Mapping[str, Insights]) -> str:
    """A row for each version. The version with most answers comes first; the others are compared with it."""
    names = sorted(found, key=lambda version: -found[version].answers)
    reference, answers = found[names[0]], sum(counts.answers for counts in found.values())
    rows = [
        [
            escape(name),
            f"{counts.answers:,}",
            f"{counts.answers / answers:.1%}",
            _accuracy(counts.accuracy),
            "" if counts is reference else _comparison(counts.accuracy, reference.accuracy),
            _milliseconds(counts.latency_ms(0.5)),
            _milliseconds(counts.latency_ms(0.95)),
        ]
        for name in names
        for counts in [found[name]]
    ]
    headings = ["Model version", "Drawings", "Share", "Accuracy", f"Compared with {escape(names[0])}"]
    return table_html([*headings, "Median latency", "95th percentile"], rows)


def _accuracy(share: Share | None) -> str:
    if share is None:
        return NO_LABELS
    low, high = share.interval
    return f"{share.value:.1%} <span class='small'>{low:.1%} to {high:.1%}, of {share.labelled:,}</span>"


def _comparison(share: Share | None, reference: Share | None) -> str:
    if share is None or reference is None:
        return NO_LABELS
    low, high = difference(share, reference)
    result = "better" if low > 0 else "worse" if high < 0 else "not significant"
    return f"{result} <span class='small'>{100 * low:+.1f} to {100 * high:+.1f} points</span>"


def _milliseconds(latency: float | None) -> str:
    return NO_VALUE if latency is None else f"{latency:.0f} ms"
