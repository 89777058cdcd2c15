"""The charts of the pages Insights and Models, drawn from counts of drawings."""

from collections.abc import Mapping
from datetime import date, timedelta

import altair as alt
import pandas as pd

from ui.digits import DIGITS
from ui.insights import CONFIDENCE_BINS, Insights, latency_edge_ms

# Distinct in both themes, and for red-green colour blindness.
RIGHT, WRONG, UNLABELLED, PLAIN = "#3b82f6", "#f08a24", "#94a3b8", "#6d8bf5"
VERSIONS = ["#3b82f6", "#f08a24", "#14b8a6", "#a855f7", "#94a3b8", "#eab308"]
LABELLED, ESTIMATED = "labelled", "estimated"
# The bar of a single day would be as wide as the chart. 7 days are the shortest period of the page.
FEWEST_DAYS = 7
# Above this, Vega's own axis marks are at least a day apart.
MOST_MARKED_DAYS = 31

DRAWINGS = alt.Y("answers:Q", title="Drawings").axis(tickMinStep=1)
VERSION_COLOURS = alt.Color("model:N", title="Model", scale=alt.Scale(range=VERSIONS)).legend(
    orient="top", titleOrient="left"
)


def answers_by_day(found: Insights) -> alt.Chart:
    """A bar for each UTC day, coloured by version, up to the last day with answers."""
    end = max(day for day, _ in found.by_day) + timedelta(days=1)
    start = min(*(day for day, _ in found.by_day), end - timedelta(days=FEWEST_DAYS))
    marks = "day" if (end - start).days <= MOST_MARKED_DAYS else alt.Undefined
    table = pd.DataFrame(
        [{"day": day.isoformat(), "model": model, "answers": n} for (day, model), n in found.by_day.items()]
    )
    days = alt.X("utcyearmonthdate(day):T", title="Day").scale(
        type="utc", domain=[_midnight(start), _midnight(end)]
    )
    return (
        alt.Chart(table)
        .mark_bar()
        .encode(
            x=days.axis(format="%d %b", labelOverlap=True, grid=False, tickCount=marks),
            y=DRAWINGS,
            color=VERSION_COLOURS,
            tooltip=_tooltips(day="Day", model="Model", answers="Drawings"),
        )
    )


def accuracy(found: Insights, estimates: Mapping[str, float]) -> alt.LayerChart | None:
    """For each version: accuracy of labelled drawings with its 95 % interval, and estimated accuracy of all.

    None without any accuracy.
    """
    table = pd.DataFrame(
        [(name, LABELLED, s.value, *s.interval, s.labelled) for name, s in found.accuracies.items()]
        + [(name, ESTIMATED, value, value, value, None) for name, value in estimates.items()],
        columns=["model", "kind", "accuracy", "low", "high", "labelled"],
    )
    if table.empty:
        return None
    scale = alt.Scale(domain=[max(0.0, float(table["low"].min()) - 0.02), 1.0], nice=False)
    kinds = [LABELLED, ESTIMATED]
    base = alt.Chart(table).encode(
        y=alt.Y("model:N", title="Model"),
        color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[RIGHT, WRONG])).legend(
            orient="top"
        ),
        tooltip=[
            *_tooltips(model="Model", kind="Accuracy of"),
            *_tooltips(".1%", accuracy="Accuracy", low="95 % interval from", high="95 % interval to"),
            alt.Tooltip("labelled:Q", title="Labelled"),
        ],
    )
    shapes = alt.Shape("kind:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "diamond"]))
    return alt.layer(
        base.mark_rule(strokeWidth=3).encode(
            x=alt.X("low:Q", title="Accuracy", scale=scale).axis(format=".0%"), x2="high:Q"
        ),
        base.mark_point(size=120, filled=True, opacity=1).encode(
            x=alt.X("accuracy:Q", scale=scale), shape=shapes
        ),
    )


def confusion(found: Insights, ink: str) -> alt.LayerChart | None:
    """Confusion matrix of the digits: a square is darker for a larger share of its label's drawings.

    `ink` is the colour of a number on a pale square. None without labelled drawings.
    """
    if not found.confusion:
        return None
    rows = []
    for label in DIGITS:
        counts = [found.confusion.get((label, answer), 0) for answer in DIGITS]
        for answer, count in enumerate(counts):
            share = count / sum(counts) if count else 0.0
            kind = "right" if label == answer else "wrong"
            rows.append(
                (label, answer, count, share, _short(count), "#ffffff" if share > 1 / 3 else ink, kind)
            )
    table = pd.DataFrame(rows, columns=["drawn", "read", "count", "share", "text", "ink", "kind"])
    base = alt.Chart(table).encode(
        x=alt.X("read:O", title="Prediction").axis(labelAngle=0, orient="top"),
        y=alt.Y("drawn:O", title="Label").axis(labelOverlap=False),
        tooltip=[
            *_tooltips(drawn="Label", read="Prediction", count="Drawings"),
            *_tooltips(".1%", share="Share"),
        ],
    )
    # The square root makes one wrong answer in a hundred visible.
    shade = alt.Opacity("share:Q", scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.04, 1]), legend=None)
    kinds = alt.Scale(domain=["right", "wrong"], range=[RIGHT, WRONG])
    return alt.layer(
        base.mark_rect(cornerRadius=3).encode(
            color=alt.Color("kind:N", scale=kinds, legend=None), opacity=shade
        ),
        base.mark_text(fontSize=11).encode(text="text:N", color=alt.Color("ink:N", scale=None)),
    )


def confidence(found: Insights) -> alt.Chart:
    """A bar for each bin of confidence, coloured by label: right, wrong or not labelled."""
    names = {True: "right", False: "wrong", None: "not labelled"}
    table = pd.DataFrame(
        [
            (
                index / CONFIDENCE_BINS,
                (index + 1) / CONFIDENCE_BINS,
                n,
                names[right],
                list(names).index(right),
            )
            for (right, index), n in found.confidences.items()
        ],
        columns=["low", "high", "answers", "label", "order"],
    )
    colours = alt.Scale(domain=list(names.values()), range=[RIGHT, WRONG, UNLABELLED])
    return (
        alt.Chart(table)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", title="Confidence").axis(format=".0%", grid=False),
            x2="high:Q",
            y=DRAWINGS,
            color=alt.Color("label:N", title=None, scale=colours).legend(orient="top", titleOrient="left"),
            order="order:Q",
            tooltip=[
                *_tooltips(".0%", low="From", high="To"),
                *_tooltips(label="Result", answers="Drawings"),
            ],
        )
    )


def confidence_by_model(found: Mapping[str, Insights]) -> alt.Chart:
    """A line for each version: the share of its answers in each bin of confidence."""
    rows = []
    for name, counts in found.items():
        answers: dict[int, int] = {}
        for (_, index), n in counts.confidences.items():
            answers[index] = answers.get(index, 0) + n
        for index in range(CONFIDENCE_BINS + 1):  # the line of the last bin needs an end
            n = answers.get(min(index, CONFIDENCE_BINS - 1), 0)
            rows.append((name, index / CONFIDENCE_BINS, n / counts.answers))
    return (
        alt.Chart(pd.DataFrame(rows, columns=["model", "low", "share"]))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X("low:Q", title="Confidence", scale=alt.Scale(domain=[0, 1])).axis(
                format=".0%", grid=False
            ),
            y=alt.Y("share:Q", title="Share of drawings").axis(format=".0%"),
            color=VERSION_COLOURS,
            tooltip=[
                *_tooltips(model="Model"),
                *_tooltips(".0%", low="From"),
                *_tooltips(".1%", share="Share of drawings"),
            ],
        )
    )


def latency(found: Insights) -> alt.LayerChart:
    """Bars on a logarithmic scale of milliseconds, with lines at the median and the 95th percentile."""
    table = pd.DataFrame(
        [(latency_edge_ms(index), latency_edge_ms(index + 1), n, 0) for index, n in found.latencies.items()],
        columns=["low", "high", "answers", "zero"],
    )
    percentiles = [(found.latency_ms(0.5), "median"), (found.latency_ms(0.95), "95th percentile")]
    scale = alt.Scale(type="log", nice=False)
    lines = alt.Chart(pd.DataFrame(percentiles, columns=["ms", "text"])).encode(x=alt.X("ms:Q", scale=scale))
    return alt.layer(
        alt.Chart(table)
        .mark_bar(color=PLAIN)
        .encode(
            x=alt.X("low:Q", title="Milliseconds", scale=scale).axis(grid=False, format="~s", tickCount=5),
            x2="high:Q",
            y=DRAWINGS,
            y2="zero:Q",
            tooltip=[
                *_tooltips(".1f", low="From ms", high="To ms"),
                *_tooltips(answers="Drawings"),
            ],
        ),
        lines.mark_rule(strokeDash=[4, 3], color=WRONG, strokeWidth=2),
        lines.mark_text(align="left", dx=5, dy=-4, baseline="top", color=WRONG, fontSize=11).encode(
            text="text:N", y=alt.value(4)
        ),
    )


def _tooltips(number_format: str | None = None, **titles: str) -> list[alt.Tooltip]:
    """A line of the tooltip for each column, by its title."""
    return [
        alt.Tooltip(column, title=title, format=number_format or alt.Undefined)
        for column, title in titles.items()
    ]


def _midnight(day: date) -> alt.DateTime:
    return alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True)


def _short(count: int) -> str:
    """A number that fits a small square."""
    if count < 1000:
        return str(count) if count else ""
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"
