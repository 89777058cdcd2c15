"""Insights, for operators: what was answered, how right it was and how fast, in pictures."""

from datetime import UTC, datetime, timedelta
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from ui import history
from ui.answer import NONE_YET
from ui.canvas import INK_AND_PAPER, theme
from ui.database import Database, DatabaseAway
from ui.insights import CONFIDENCE_BINS, Insights, Share, insights, latency_edge_ms

AWAY = "The database is not answering, so there is nothing to show. Try again in a moment."
NOTHING = "Nothing was answered in this time."
PERIODS = {"7 days": 7, "30 days": 30, "90 days": 90, "All": None}
HEIGHT = 260
# Told apart in both themes, and by people who do not see red and green alike.
RIGHT, WRONG, UNLABELLED, PLAIN = "#3b82f6", "#f08a24", "#94a3b8", "#6d8bf5"
VERSIONS = ["#3b82f6", "#f08a24", "#14b8a6", "#a855f7", "#94a3b8", "#eab308"]


def show(database: Database) -> None:
    """Everything below the heading."""
    try:
        with database.reading() as connection:
            with st.container(key="filters", horizontal=True, vertical_alignment="top"):
                period = st.segmented_control(
                    "Time", list(PERIODS), default="30 days", key="period", required=True
                )
                version = st.selectbox(
                    "Model",
                    history.versions(connection),
                    index=None,
                    placeholder="any version",
                    key="insights-version",
                    width=150,
                )
            found = insights(connection, _since(PERIODS[period or "30 days"]), version)
    except DatabaseAway:
        st.html(f'<div class="empty">{AWAY}</div>')
        return
    if not found.answers:
        st.html(f'<div class="empty">{NOTHING}</div>')
        return
    _numbers(found)
    with st.container(key="charts"):
        _chart("by-day", "Answers a day", "days of UTC", answers_by_day(found))
        _chart(
            "accuracy",
            "Right answers by model",
            "of labelled drawings, with the 95 % interval",
            accuracy(found),
        )
        _chart("confusion", "What was drawn, and what was read", "labelled drawings", confusion(found))
        _chart("confidence", "How sure the answers were", "in steps of 5 points", confidence(found))
        _chart("latency", "How long an answer took", "as the page saw it", latency(found))


def _since(days: int | None) -> Any:
    return None if days is None else datetime.now(UTC).date() - timedelta(days=days - 1)


def _numbers(found: Insights) -> None:
    share, median, slow = found.accuracy, found.latency_ms(0.5), found.latency_ms(0.95)
    numbers = [
        ("Answers", f"{found.answers:,}", f"{found.no_digits:,} looked like no digit"),
        ("Right", f"{share.value:.1%}" if share else NONE_YET, _of(share)),
        (
            "Half took at most",
            f"{median:.0f} ms" if median else NONE_YET,
            f"95 of 100 at most {slow:.0f} ms" if slow else "",
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


def _of(share: Share | None) -> str:
    if share is None:
        return "nothing is labelled yet"
    low, high = share.interval
    return f"{low:.1%} to {high:.1%}, of {share.labelled:,} labelled"


def _chart(key: str, title: str, note: str, chart: alt.Chart | alt.LayerChart | None) -> None:
    with st.container(key=f"chart-{key}"):
        st.html(f'<h2 class="chart">{title} <span class="small">{note}</span></h2>')
        if chart is None:
            st.html('<div class="empty">Nothing is labelled yet.</div>')
        else:
            st.altair_chart(
                chart.properties(
                    height=HEIGHT, padding={"left": 4, "top": 4, "right": 16, "bottom": 4}
                ).configure(background="transparent"),
                width="stretch",
                key=key,
            )


def answers_by_day(found: Insights) -> alt.Chart:
    """Bars, a day each, by version."""
    table = pd.DataFrame(
        [{"day": day.isoformat(), "model": model, "answers": n} for (day, model), n in found.by_day.items()]
    )
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(day):T", title="Day").axis(format="%d %b", labelOverlap=True, grid=False),
            y=alt.Y("answers:Q", title="Answers").axis(tickMinStep=1),
            color=alt.Color("model:N", title="Model", scale=alt.Scale(range=VERSIONS)).legend(
                orient="top", titleOrient="left"
            ),
            tooltip=[
                alt.Tooltip("day", title="Day"),
                alt.Tooltip("model", title="Model"),
                alt.Tooltip("answers", title="Answers"),
            ],
        )
    )


def accuracy(found: Insights) -> alt.LayerChart | None:
    """A point a version, and a line as long as its interval."""
    if not found.accuracies:
        return None
    table = pd.DataFrame(
        [
            {
                "model": name,
                "right": s.value,
                "low": s.interval[0],
                "high": s.interval[1],
                "labelled": s.labelled,
            }
            for name, s in found.accuracies.items()
        ]
    )
    scale = alt.Scale(domain=[max(0.0, float(table["low"].min()) - 0.02), 1.0], nice=False)
    tooltip = [
        alt.Tooltip("model", title="Model"),
        alt.Tooltip("right", title="Right", format=".1%"),
        alt.Tooltip("low", title="From", format=".1%"),
        alt.Tooltip("high", title="To", format=".1%"),
        alt.Tooltip("labelled", title="Labelled"),
    ]
    base = alt.Chart(table).encode(y=alt.Y("model:N", title="Model"), tooltip=tooltip)
    return alt.layer(
        base.mark_rule(strokeWidth=3, color=RIGHT).encode(
            x=alt.X("low:Q", title="Right answers", scale=scale).axis(format=".0%"), x2="high:Q"
        ),
        base.mark_point(size=120, filled=True, opacity=1, color=RIGHT).encode(
            x=alt.X("right:Q", scale=scale)
        ),
    )


def confusion(found: Insights) -> alt.LayerChart | None:
    """Ten by ten: how many drawings of a digit were read as which; darker, the larger its share of the digit's."""
    if not found.confusion:
        return None
    ink = INK_AND_PAPER[theme()][0]
    drawn = {label: sum(found.confusion.get((label, d), 0) for d in range(10)) for label in range(10)}
    table = pd.DataFrame(
        [
            {
                "drawn": label,
                "read": answer,
                "count": (count := found.confusion.get((label, answer), 0)),
                "share": count / drawn[label] if drawn[label] else 0.0,
                "text": _short(count),
                "ink": "#ffffff" if count > drawn[label] / 3 else ink,
                "kind": "right" if label == answer else "wrong",
            }
            for label in range(10)
            for answer in range(10)
        ]
    )
    base = alt.Chart(table).encode(
        x=alt.X("read:O", title="Read as").axis(labelAngle=0, orient="top"),
        y=alt.Y("drawn:O", title="Is a").axis(labelOverlap=False),
        tooltip=[
            alt.Tooltip("drawn", title="Is a"),
            alt.Tooltip("read", title="Read as"),
            alt.Tooltip("count", title="Drawings"),
            alt.Tooltip("share", title="Share", format=".1%"),
        ],
    )
    # The square root, so that one wrong answer in a hundred is seen.
    shade = alt.Opacity("share:Q", scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.04, 1]), legend=None)
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=["right", "wrong"], range=[RIGHT, WRONG]), legend=None
    )
    return alt.layer(
        base.mark_rect(cornerRadius=3).encode(color=colour, opacity=shade),
        base.mark_text(fontSize=11).encode(text="text:N", color=alt.Color("ink:N", scale=None)),
    )


def confidence(found: Insights) -> alt.Chart:
    """Bars, a step of confidence each, by whether it was right."""
    names = {True: "right", False: "wrong", None: "not labelled"}
    table = pd.DataFrame(
        [
            {
                "from": place / CONFIDENCE_BINS,
                "to": (place + 1) / CONFIDENCE_BINS,
                "answers": n,
                "label": names[right],
                "order": list(names).index(right),
            }
            for (right, place), n in found.confidences.items()
        ]
    )
    return (
        alt.Chart(table)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("from:Q", bin="binned", title="Confidence").axis(format=".0%", grid=False),
            x2="to:Q",
            y=alt.Y("answers:Q", title="Answers").axis(tickMinStep=1),
            color=alt.Color(
                "label:N",
                title=None,
                scale=alt.Scale(domain=list(names.values()), range=[RIGHT, WRONG, UNLABELLED]),
            ).legend(orient="top", titleOrient="left"),
            order="order:Q",
            tooltip=[
                alt.Tooltip("from", title="From", format=".0%"),
                alt.Tooltip("to", title="To", format=".0%"),
                alt.Tooltip("label", title="Label"),
                alt.Tooltip("answers", title="Answers"),
            ],
        )
    )


def latency(found: Insights) -> alt.LayerChart:
    """Bars on a logarithmic scale, and where half and 95 of 100 answers were there."""
    table = pd.DataFrame(
        [
            {"from": latency_edge_ms(place), "to": latency_edge_ms(place + 1), "answers": n, "zero": 0}
            for place, n in found.latencies.items()
        ]
    )
    marks = pd.DataFrame(
        [
            {"ms": found.latency_ms(share), "text": text}
            for share, text in ((0.5, "half"), (0.95, "95 of 100"))
        ]
    )
    scale = alt.Scale(type="log", nice=False)
    x = alt.X("from:Q", title="Milliseconds", scale=scale).axis(grid=False, format="~s", tickCount=5)
    lines = alt.Chart(marks).encode(x=alt.X("ms:Q", scale=scale))
    return alt.layer(
        alt.Chart(table)
        .mark_bar(color=PLAIN)
        .encode(
            x=x,
            x2="to:Q",
            y=alt.Y("answers:Q", title="Answers").axis(tickMinStep=1),
            y2="zero:Q",
            tooltip=[
                alt.Tooltip("from", title="From ms", format=".1f"),
                alt.Tooltip("to", title="To ms", format=".1f"),
                alt.Tooltip("answers", title="Answers"),
            ],
        ),
        lines.mark_rule(strokeDash=[4, 3], color=WRONG, strokeWidth=2),
        lines.mark_text(align="left", dx=5, dy=-4, baseline="top", color=WRONG, fontSize=11).encode(
            text="text:N", y=alt.value(4)
        ),
    )


def _short(count: int) -> str:
    """A number that fits a small square."""
    if count < 1000:
        return str(count) if count else ""
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"
