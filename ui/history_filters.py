"""The filters of the page History: their widgets, and dates in the visitor's time zone."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from ui.digits import DIGITS, NAMES
from ui.history import Filters, Labels

LABELS: dict[str, Labels] = {"Wrong": "wrong", "Not labelled": "unlabelled"}


def choose_filters(versions: list[str]) -> Filters:
    """Show the widgets, with these model versions; returns their values."""
    with st.container(key="filters", horizontal=True, vertical_alignment="top"):
        digit = st.selectbox(
            "Prediction",
            list(DIGITS),
            index=None,
            format_func=NAMES.__getitem__,
            placeholder="any digit",
            key="filter-digit",
            width=130,
        )
        version = st.selectbox(
            "Model", versions, index=None, placeholder="any version", key="filter-version", width=150
        )
        dates = st.date_input(
            "Dates", value=(), max_value="today", key="filter-dates", format="YYYY-MM-DD", width=270
        )
        labels = st.pills("Labels", list(LABELS), key="filter-labels", width="content")
        no_digit = st.pills("Digit check", ["Not a digit"], key="filter-looks", width="content")
    since, until = day_limits(dates, zone())
    return Filters(digit, version, LABELS.get(labels or ""), bool(no_digit), since, until)


def zone() -> tzinfo:
    """The visitor's time zone, or UTC if the browser does not report one."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def day_limits(dates: tuple[date, ...], zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """Start of the first day and end of the last day; a single date is both."""
    if not dates:
        return None, None
    return (
        datetime.combine(dates[0], time(), zone),
        datetime.combine(dates[-1] + timedelta(days=1), time(), zone),
    )
