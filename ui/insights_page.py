"""The page Insights for operators: numbers and charts of drawings, accuracy, latency and drift."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape

import streamlit as st

from ui import charts, history, insights
from ui.answer import NO_VALUE
from ui.canvas import INK_AND_PAPER, theme
from ui.database import Database, DatabaseError
from ui.insights import Drift, Insights, Share, Stored

UNAVAILABLE = "Database unavailable: no statistics to show. Try again in a moment."
NO_DRAWINGS = "No drawings in this period."
PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90, "All": None}
HEIGHT = 260
NO_DRIFT = "No drift values: they need 200 drawings in 24 hours, and a model archive with a reference."
# Features of the view model_drift, with their names on the page.
FEATURES = {
    "digit": "Digit",
    "confidence": "Confidence",
    "digit_score": "Digit score",
    "ink_share": "Ink share",
}
VISITORS = 10
SHORT_HASH = 8  # characters


def show(database: Database) -> None:
    """Show the page below its heading."""
    try:
        with database.reading() as connection:
            with st.container(key="filters", horizontal=True, vertical_alignment="top"):
                since = choose_period("period")
                version = st.selectbox(
                    "Model",
                    history.versions(connection),
                    index=None,
                    placeholder="any version",
                    key="insights-version",
                    width=150,
                )
            found = insights.insights(connection, since, version)
            estimates = insights.estimates(connection, since, version)
            drifts = insights.drifts(connection, version)
            stored = insights.storage_by_visitor(connection, since, VISITORS)
    except DatabaseError:
        show_empty(UNAVAILABLE)
        return
    if not found.answers:
        show_empty(NO_DRAWINGS)
        return
    accuracy_note, ink = "labelled: 95 % interval; estimated: mean confidence", INK_AND_PAPER[theme()][0]
    _show_numbers(found)
    with st.container(key="charts"):
        show_chart("by-day", "Drawings per day", "UTC days", charts.answers_by_day(found))
        show_chart("accuracy", "Accuracy by model version", accuracy_note, charts.accuracy(found, estimates))
        show_chart("confusion", "Confusion matrix", "labelled drawings", charts.confusion(found, ink))
        bins = "bins of 5 percentage points"
        show_chart("confidence", "Confidence distribution", bins, charts.confidence(found))
        show_chart("latency", "Latency", "measured by the page", charts.latency(found))
        with st.container(key="chart-drift"):
            st.html(_drift_html(drifts))
        with st.container(key="chart-storage"):
            st.html(_storage_html(stored))


def choose_period(key: str) -> date | None:
    """Show the periods; returns the first UTC day of the chosen one, None for all drawings."""
    period = st.segmented_control("Period", list(PERIODS), default="30 days", key=key, required=True)
    days = PERIODS[period or "30 days"]
    return None if days is None else datetime.now(UTC).date() - timedelta(days=days - 1)


def show_empty(text: str) -> None:
    """Show a sentence in place of numbers and charts."""
    st.html(f'<div class="empty">{text}</div>')


def show_chart(key: str, title: str, note: str, chart: charts.Specification | None) -> None:
    """Show a chart with its title; None if no drawing is labelled."""
    with st.container(key=f"chart-{key}"):
        st.html(_title_html(title, note))
        if chart is None:
            show_empty("No labelled drawings yet.")
            return
        padding = {"left": 4, "top": 4, "right": 16, "bottom": 4}
        layout = {"height": HEIGHT, "padding": padding, "config": {"background": "transparent"}}
        st.vega_lite_chart({**chart, **layout}, width="stretch", key=key)


def _show_numbers(found: Insights) -> None:
    share, median, p95 = found.accuracy, found.latency_ms(0.5), found.latency_ms(0.95)
    numbers = [
        ("Drawings", f"{found.answers:,}", f"{found.no_digits:,} rejected as not a digit"),
        ("Accuracy", f"{share.value:.1%}" if share else NO_VALUE, _interval(share)),
        (
            "Median latency",
            f"{median:.0f} ms" if median else NO_VALUE,
            f"95th percentile: {p95:.0f} ms" if p95 else "",
        ),
    ]
    cells = "".join(
        f'<div class="number"><div class="small">{name}</div><div class="value">{value}</div>'
        f'<div class="small">{note}</div></div>'
        for name, value, note in numbers
    )
    st.html(f'<div class="numbers">{cells}</div>')


def _interval(share: Share | None) -> str:
    if share is None:
        return "no labels yet"
    low, high = share.interval
    return f"{low:.1%} to {high:.1%}, of {share.labelled:,} labelled"


def _drift_html(drifts: Sequence[Drift]) -> str:
    title = _title_html("Drift (PSI)", "last 24 hours against the training reference")
    if not drifts:
        return f'{title}<div class="empty">{NO_DRIFT}</div>'
    cells = {(drift.feature, drift.model_version): _psi(drift) for drift in drifts}
    versions = sorted({drift.model_version for drift in drifts})
    rows = [
        [name, *(cells.get((feature, version), NO_VALUE) for version in versions)]
        for feature, name in FEATURES.items()
    ]
    return f'{title}<div class="counts">{table_html(["Feature", *map(escape, versions)], rows)}</div>'


def _psi(drift: Drift) -> str:
    text = f"{drift.psi:.2f} {drift.state}"
    return text if drift.state == "stable" else f"<strong>{text}</strong>"


def _storage_html(stored: Sequence[Stored]) -> str:
    note = f"the {VISITORS} with most bytes in the newest {insights.NEWEST_STORED:,} drawings, all versions"
    rows = [
        [
            row.visitor[:SHORT_HASH] if row.visitor else "not recorded",
            f"{row.drawings:,}",
            f"{row.bytes / 1e6:,.2f} MB",
        ]
        for row in stored
    ]
    table = table_html(["Visitor (hash)", "Drawings", "Pictures"], rows)
    return f'{_title_html("Storage by visitor", note)}<div class="counts">{table}</div>'


def table_html(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _title_html(title: str, note: str) -> str:
    return f'<h2 class="chart">{title} <span class="small">{note}</span></h2>'
