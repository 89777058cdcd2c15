"""The Vega-Lite specifications of the charts."""

from datetime import date, timedelta

import pytest

from tests.ui.test_insights import _insights
from ui.charts import FEWEST_DAYS, accuracy, answers_by_day, confidence_by_model
from ui.insights import Share


@pytest.mark.parametrize(("span", "shown"), [(1, FEWEST_DAYS), (FEWEST_DAYS, FEWEST_DAYS), (90, 90)])
def test_the_chart_of_days_spans_at_least_a_week(span, shown):
    last = date(2026, 3, 1)
    days = {(last - timedelta(days=ago), "1.0"): 3 for ago in {0, span - 1}}
    axis = answers_by_day(_insights(by_day=days))["encoding"]["x"]
    start, end = (date(end["year"], end["month"], end["date"]) for end in axis["scale"]["domain"])
    assert end == last + timedelta(days=1)  # its bar is visible
    assert (end - start).days == shown
    # UTC days in every time zone.
    assert axis["timeUnit"] == "utcyearmonthdate"
    assert all(end["utc"] for end in axis["scale"]["domain"])


def test_the_last_bin_of_confidence_is_as_wide_as_the_others():
    found = _insights(by_day={(date(2026, 3, 1), "1.0"): 4}, confidences={(True, 19): 3, (None, 0): 1})
    chart = confidence_by_model({"1.0": found})
    rows = chart["datasets"]["rows"]
    shares = {row["low"]: row["share"] for row in rows}
    assert max(shares) == 1.0
    assert shares[1.0] == shares[0.95] == 0.75
    assert shares[0.0] == 0.25


def test_the_accuracy_chart_has_labelled_and_estimated_accuracy():
    found = _insights(accuracies={"1.0": Share(9, 10)})
    chart = accuracy(found, {"1.0": 0.953, "1.1": 0.9})
    rows = chart["datasets"]["rows"]
    assert [(row["model"], row["kind"], row["accuracy"]) for row in rows] == [
        ("1.0", "labelled", 0.9),
        ("1.0", "estimated", 0.953),
        ("1.1", "estimated", 0.9),
    ]
    assert rows[0]["low"] == pytest.approx(0.5958, abs=1e-4)
    assert accuracy(_insights(), {}) is None
    assert accuracy(_insights(), {"1.1": 0.9})["datasets"]["rows"]
