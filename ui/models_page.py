"""Models, for operators: each version's answers side by side, and whether one reads better than another yet."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from ui import charts, history
from ui.answer import NONE_YET
from ui.database import Database, DatabaseAway
from ui.insights import Insights, Share, difference, insights
from ui.insights_page import AWAY, NOTHING, PERIODS, chart, since

HEADINGS = (
    "Model version",
    "Drawings",
    "Share",
    "Accuracy",
    "Compared with {}",
    "Median latency",
    "95th percentile",
)


def show(database: Database) -> None:
    """Everything below the heading."""
    try:
        with database.reading() as connection:
            period = st.segmented_control(
                "Period", list(PERIODS), default="30 days", key="models-period", required=True
            )
            from_day = since(PERIODS[period or "30 days"])
            every = {
                version: insights(connection, from_day, version) for version in history.versions(connection)
            }
    except DatabaseAway:
        st.html(f'<div class="empty">{AWAY}</div>')
        return
    found = {version: counts for version, counts in every.items() if counts.answers}
    if not found:
        st.html(f'<div class="empty">{NOTHING}</div>')
        return
    st.html(_table(found))
    with st.container(key="charts"):
        chart(
            "confidence-by-model",
            "Confidence distribution",
            "share of each version's drawings, bins of 5 percentage points",
            charts.confidence_by_model(found),
        )


def _table(found: Mapping[str, Insights]) -> str:
    """A row a version, the one with most answers first: the others are held against it."""
    names = sorted(found, key=lambda version: -found[version].answers)
    usual, answers = names[0], sum(counts.answers for counts in found.values())
    rows = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in _cells(name, found, usual, answers)) + "</tr>"
        for name in names
    )
    headings = "".join(f"<th>{escape(heading.format(usual))}</th>" for heading in HEADINGS)
    return f'<div class="models"><table><tr>{headings}</tr>{rows}</table></div>'


def _cells(name: str, found: Mapping[str, Insights], usual: str, answers: int) -> tuple[str, ...]:
    counts = found[name]
    share = counts.accuracy
    return (
        escape(name),
        f"{counts.answers:,}",
        f"{counts.answers / answers:.1%}",
        _right(share),
        "" if name == usual else _against(share, found[usual].accuracy),
        _milliseconds(counts.latency_ms(0.5)),
        _milliseconds(counts.latency_ms(0.95)),
    )


def _right(share: Share | None) -> str:
    if share is None:
        return f"{NONE_YET} <span class='small'>no labels yet</span>"
    low, high = share.interval
    return f"{share.value:.1%} <span class='small'>{low:.1%} to {high:.1%}, of {share.labelled:,}</span>"


def _against(share: Share | None, usual: Share | None) -> str:
    if share is None or usual is None:
        return f"{NONE_YET} <span class='small'>no labels yet</span>"
    low, high = difference(share, usual)
    said = "better" if low > 0 else "worse" if high < 0 else "not significant"
    return f"{said} <span class='small'>{100 * low:+.1f} to {100 * high:+.1f} points</span>"


def _milliseconds(latency: float | None) -> str:
    return NONE_YET if latency is None else f"{latency:.0f} ms"
