"""Insights, for operators: what was answered, how right it was and how fast, in pictures."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape

import altair as alt
import streamlit as st

from ui import charts, history
from ui.answer import NONE_YET
from ui.canvas import INK_AND_PAPER, theme
from ui.database import Database, DatabaseAway
from ui.insights import (
    NEWEST_STORED,
    Drift,
    Insights,
    Share,
    Stored,
    drifts,
    estimates,
    insights,
    most_stored,
)

AWAY = "Database unavailable: no statistics to show. Try again in a moment."
NOTHING = "No drawings in this period."
PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90, "All": None}
HEIGHT = 260
NO_DRIFT = "No drift values: they need 200 drawings in 24 hours, and a model archive with a reference."
# The features of model_drift and what they are called here.
FEATURES = {
    "digit": "Digit",
    "confidence": "Confidence",
    "digit_score": "Digit score",
    "ink_share": "Ink share",
}
VISITORS = 10
SHORT_HASH = 8


def show(database: Database) -> None:
    """Everything below the heading."""
    try:
        with database.reading() as connection:
            with st.container(key="filters", horizontal=True, vertical_alignment="top"):
                period = st.segmented_control(
                    "Period", list(PERIODS), default="30 days", key="period", required=True
                )
                version = st.selectbox(
                    "Model",
                    history.versions(connection),
                    index=None,
                    placeholder="any version",
                    key="insights-version",
                    width=150,
                )
            from_day = since(PERIODS[period or "30 days"])
            found = insights(connection, from_day, version)
            estimated = estimates(connection, from_day, version)
            drifted = drifts(connection, version)
            stored = most_stored(connection, from_day, VISITORS)
    except DatabaseAway:
        st.html(f'<div class="empty">{AWAY}</div>')
        return
    if not found.answers:
        st.html(f'<div class="empty">{NOTHING}</div>')
        return
    ink = INK_AND_PAPER[theme()][0]
    _numbers(found)
    with st.container(key="charts"):
        chart("by-day", "Drawings per day", "UTC days", charts.answers_by_day(found))
        chart(
            "accuracy",
            "Accuracy by model version",
            "labelled: 95 % interval; estimated: mean confidence",
            charts.accuracy(found, estimated),
        )
        chart(
            "confusion",
            "Confusion matrix",
            "labelled drawings",
            charts.confusion(found, ink),
        )
        chart(
            "confidence", "Confidence distribution", "bins of 5 percentage points", charts.confidence(found)
        )
        chart("latency", "Latency", "measured by the page", charts.latency(found))
        with st.container(key="chart-drift"):
            st.html(_drift(drifted))
        with st.container(key="chart-storage"):
            st.html(_storage(stored))


def since(days: int | None) -> date | None:
    """The first of so many days up to today, in UTC; None for all there are."""
    return None if days is None else datetime.now(UTC).date() - timedelta(days=days - 1)


def _numbers(found: Insights) -> None:
    share, median, slow = found.accuracy, found.latency_ms(0.5), found.latency_ms(0.95)
    numbers = [
        ("Drawings", f"{found.answers:,}", f"{found.no_digits:,} rejected as not a digit"),
        ("Accuracy", f"{share.value:.1%}" if share else NONE_YET, _of(share)),
        (
            "Median latency",
            f"{median:.0f} ms" if median else NONE_YET,
            f"95th percentile: {slow:.0f} ms" if slow else "",
        ),
    ]
    st.html(
        '<div class="numbers">'
        + "".join(
            f'<div class="number"><div class="small">{name}</div><div class="value">{value}</div>'
            f'<div class="small">{note}</div></div>'
            for name, value, note in numbers
        )
        + "</div>"
    )


def _drift(drifted: Sequence[Drift]) -> str:
    title = '<h2 class="chart">Drift (PSI) <span class="small">last 24 hours against the training reference</span></h2>'
    if not drifted:
        return f'{title}<div class="empty">{NO_DRIFT}</div>'
    found = {(drift.feature, drift.model_version): drift for drift in drifted}
    versions = sorted({drift.model_version for drift in drifted})
    rows = "".join(
        f"<tr><td>{name}</td>"
        + "".join(f"<td>{_psi(found.get((feature, version)))}</td>" for version in versions)
        + "</tr>"
        for feature, name in FEATURES.items()
    )
    headings = "".join(f"<th>{escape(version)}</th>" for version in versions)
    return f'{title}<div class="counts"><table><tr><th>Feature</th>{headings}</tr>{rows}</table></div>'


def _psi(drift: Drift | None) -> str:
    if drift is None:
        return NONE_YET
    text = f"{drift.psi:.2f} {drift.state}"
    return text if drift.state == "stable" else f"<strong>{text}</strong>"


def _storage(stored: Sequence[Stored]) -> str:
    rows = "".join(
        f"<tr><td>{row.visitor[:SHORT_HASH] if row.visitor else 'not recorded'}</td>"
        f"<td>{row.drawings:,}</td><td>{row.bytes / 1e6:,.2f} MB</td></tr>"
        for row in stored
    )
    return (
        '<h2 class="chart">Storage by visitor <span class="small">'
        f"the {VISITORS} with most bytes in the newest {NEWEST_STORED:,} drawings, all versions</span></h2>"
        '<div class="counts"><table><tr><th>Visitor (hash)</th><th>Drawings</th><th>Pictures</th></tr>'
        f"{rows}</table></div>"
    )


def _of(share: Share | None) -> str:
    if share is None:
        return "no labels yet"
    low, high = share.interval
    return f"{low:.1%} to {high:.1%}, of {share.labelled:,} labelled"


def chart(key: str, title: str, note: str, drawn: alt.Chart | alt.LayerChart | alt.FacetChart | None) -> None:
    """A chart with its title; None where nothing is labelled."""
    with st.container(key=f"chart-{key}"):
        st.html(f'<h2 class="chart">{title} <span class="small">{note}</span></h2>')
        if drawn is None:
            st.html('<div class="empty">No labelled drawings yet.</div>')
        else:
            st.altair_chart(
                drawn.properties(
                    height=HEIGHT, padding={"left": 4, "top": 4, "right": 16, "bottom": 4}
                ).configure(background="transparent"),
                width="stretch",
                key=key,
            )
