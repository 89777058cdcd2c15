"""The charts of Insights, each drawn from counts of drawings."""

from collections.abc import Mapping
from datetime import date, timedelta

import altair as alt
import pandas as pd

from ui.insights import CONFIDENCE_BINS, Insights, latency_edge_ms

# Told apart in both themes, and by people who do not see red and green alike.
RIGHT, WRONG, UNLABELLED, PLAIN = "#3b82f6", "#f08a24", "#94a3b8", "#6d8bf5"
VERSIONS = ["#3b82f6", "#f08a24", "#14b8a6", "#a855f7", "#94a3b8", "#eab308"]
LABELLED, ESTIMATED = "labelled", "estimated"
# One day alone would be a bar as wide as the chart; no more than the shortest period that can be chosen.
FEWEST_DAYS = 7
# With more, Vega's own marks are at least a day apart.
MOST_MARKED_DAYS = 31


def answers_by_day(found: Insights) -> alt.Chart:
    """Bars, a day of UTC each, by version: a week at least, up to the last day that has answers."""
    days = [day for day, _ in found.by_day]
    end = max(days) + timedelta(days=1)
    start = min(*days, end - timedelta(days=FEWEST_DAYS))
    marks = "day" if (end - start).days <= MOST_MARKED_DAYS else alt.Undefined
    table = pd.DataFrame(
        [{"day": day.isoformat(), "model": model, "answers": n} for (day, model), n in found.by_day.items()]
    )
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=alt.X("utcyearmonthdate(day):T", title="Day")
            .scale(type="utc", domain=[_midnight(start), _midnight(end)])
            .axis(format="%d %b", labelOverlap=True, grid=False, tickCount=marks),
            y=alt.Y("answers:Q", title="Drawings").axis(tickMinStep=1),
            color=alt.Color("model:N", title="Model", scale=alt.Scale(range=VERSIONS)).legend(
                orient="top", titleOrient="left"
            ),
            tooltip=[
                alt.Tooltip("day", title="Day"),
                alt.Tooltip("model", title="Model"),
                alt.Tooltip("answers", title="Drawings"),
            ],
        )
    )


def accuracy(found: Insights, estimates: Mapping[str, float]) -> alt.LayerChart | None:
    """For each version the accuracy of labelled drawings with its interval, and the estimated accuracy of all."""
    table = pd.DataFrame(
        [
            {
                "model": name,
                "accuracy": s.value,
                "low": s.interval[0],
                "high": s.interval[1],
                "kind": LABELLED,
                "labelled": s.labelled,
            }
            for name, s in found.accuracies.items()
        ]
        + [
            {"model": name, "accuracy": value, "low": value, "high": value, "kind": ESTIMATED}
            for name, value in estimates.items()
        ]
    )
    if table.empty:
        return None
    scale = alt.Scale(domain=[max(0.0, float(table["low"].min()) - 0.02), 1.0], nice=False)
    kind = alt.Scale(domain=[LABELLED, ESTIMATED], range=[RIGHT, WRONG])
    shape = alt.Scale(domain=[LABELLED, ESTIMATED], range=["circle", "diamond"])
    base = alt.Chart(table).encode(
        y=alt.Y("model:N", title="Model"),
        color=alt.Color("kind:N", title=None, scale=kind).legend(orient="top"),
        tooltip=[
            alt.Tooltip("model", title="Model"),
            alt.Tooltip("kind", title="Accuracy of"),
            alt.Tooltip("accuracy", title="Accuracy", format=".1%"),
            alt.Tooltip("low", title="95 % interval from", format=".1%"),
            alt.Tooltip("high", title="95 % interval to", format=".1%"),
            alt.Tooltip("labelled:Q", title="Labelled"),
        ],
    )
    return alt.layer(
        base.mark_rule(strokeWidth=3).encode(
            x=alt.X("low:Q", title="Accuracy", scale=scale).axis(format=".0%"), x2="high:Q"
        ),
        base.mark_point(size=120, filled=True, opacity=1).encode(
            x=alt.X("accuracy:Q", scale=scale), shape=alt.Shape("kind:N", title=None, scale=shape)
        ),
    )


def confusion(found: Insights, ink: str) -> alt.LayerChart | None:
    """Ten by ten: how many drawings of a digit were read as which; darker, the larger its share of the digit's.

    `ink` is the colour of a number on a pale square.
    """
    if not found.confusion:
        return None
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
        x=alt.X("read:O", title="Prediction").axis(labelAngle=0, orient="top"),
        y=alt.Y("drawn:O", title="Label").axis(labelOverlap=False),
        tooltip=[
            alt.Tooltip("drawn", title="Label"),
            alt.Tooltip("read", title="Prediction"),
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
            y=alt.Y("answers:Q", title="Drawings").axis(tickMinStep=1),
            color=alt.Color(
                "label:N",
                title=None,
                scale=alt.Scale(domain=list(names.values()), range=[RIGHT, WRONG, UNLABELLED]),
            ).legend(orient="top", titleOrient="left"),
            order="order:Q",
            tooltip=[
                alt.Tooltip("from", title="From", format=".0%"),
                alt.Tooltip("to", title="To", format=".0%"),
                alt.Tooltip("label", title="Result"),
                alt.Tooltip("answers", title="Drawings"),
            ],
        )
    )


def confidence_by_model(found: Mapping[str, Insights]) -> alt.Chart:
    """A line a version: what share of its answers was how sure."""
    table = pd.DataFrame(
        [
            {"model": name, "from": place / CONFIDENCE_BINS, "share": n / counts.answers}
            for name, counts in found.items()
            for place in range(CONFIDENCE_BINS + 1)  # the line of the last step needs an end
            for n in [_answers(counts, min(place, CONFIDENCE_BINS - 1))]
        ]
    )
    return (
        alt.Chart(table)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("from:Q", title="Confidence", scale=alt.Scale(domain=[0, 1])).axis(
                format=".0%", grid=False
            ),
            y=alt.Y("share:Q", title="Share of drawings").axis(format=".0%"),
            color=alt.Color("model:N", title="Model", scale=alt.Scale(range=VERSIONS)).legend(
                orient="top", titleOrient="left"
            ),
            tooltip=[
                alt.Tooltip("model", title="Model"),
                alt.Tooltip("from", title="From", format=".0%"),
                alt.Tooltip("share", title="Share of drawings", format=".1%"),
            ],
        )
    )


def _answers(found: Insights, place: int) -> int:
    """How many were so sure, labelled or not."""
    return sum(found.confidences.get((right, place), 0) for right in (True, False, None))


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
            for share, text in ((0.5, "median"), (0.95, "95th percentile"))
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
            y=alt.Y("answers:Q", title="Drawings").axis(tickMinStep=1),
            y2="zero:Q",
            tooltip=[
                alt.Tooltip("from", title="From ms", format=".1f"),
                alt.Tooltip("to", title="To ms", format=".1f"),
                alt.Tooltip("answers", title="Drawings"),
            ],
        ),
        lines.mark_rule(strokeDash=[4, 3], color=WRONG, strokeWidth=2),
        lines.mark_text(align="left", dx=5, dy=-4, baseline="top", color=WRONG, fontSize=11).encode(
            text="text:N", y=alt.value(4)
        ),
    )


def _midnight(day: date) -> alt.DateTime:
    return alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True)


def _short(count: int) -> str:
    """A number that fits a small square."""
    if count < 1000:
        return str(count) if count else ""
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"
