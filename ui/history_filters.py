"""What an operator filters History by: the widgets, and the days of the visitor's time zone."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from ui.history import Filters, Labels

DIGITS = range(10)
LABELS: dict[str, Labels] = {"Wrong": "wrong", "Not labelled": "unlabelled"}


def choose_filters(versions: list[str]) -> Filters:
    """Show the widgets; `versions` are those to choose from."""
    with st.container(key="filters", horizontal=True, vertical_alignment="top"):
        digit = st.selectbox(
            "Prediction", list(DIGITS), index=None, placeholder="any digit", key="filter-digit", width=130
        )
        version = st.selectbox(
            "Model", versions, index=None, placeholder="any version", key="filter-version", width=150
        )
        dates = st.date_input(
            "Dates", value=(), max_value="today", key="filter-dates", format="YYYY-MM-DD", width=270
        )
        labels = st.pills("Labels", list(LABELS), key="filter-labels", width="content")
        no_digit = st.pills("Digit check", ["Not a digit"], key="filter-looks", width="content")
    since, until = days(dates, zone())
    return Filters(digit, version, LABELS.get(labels or ""), bool(no_digit), since, until)


def zone() -> tzinfo:
    """The visitor's time zone, or UTC where the browser does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def days(dates: tuple[date, ...], there: tzinfo) -> tuple[datetime | None, datetime | None]:
    """The first and the last day of a choice, both included, as the times in between; one day alone is both."""
    if not dates:
        return None, None
    return (
        datetime.combine(dates[0], time(), there),
        datetime.combine(dates[-1] + timedelta(days=1), time(), there),
    )
