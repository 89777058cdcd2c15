"""Numbers that Insights derives from counts."""

from datetime import date

import pytest

from ui.insights import LATENCY_BINS_A_DOUBLING, Insights, Share, difference, latency_edge_ms


def _insights(**changes):
    empty = {
        "by_day": {},
        "no_digits": 0,
        "accuracies": {},
        "confusion": {},
        "confidences": {},
        "latencies": {},
    }
    return Insights(**empty | changes)


@pytest.mark.parametrize(
    ("right", "labelled", "low", "high"),
    # From statsmodels' proportion_confint(..., method="wilson").
    [(9, 10, 0.5958, 0.9821), (97, 100, 0.9155, 0.9897), (0, 10, 0.0, 0.2775), (1, 1, 0.2065, 1.0)],
)
def test_an_accuracy_has_wilsons_interval(right, labelled, low, high):
    share = Share(right, labelled)
    assert share.value == right / labelled
    assert share.interval == pytest.approx((low, high), abs=1e-4)


def test_the_difference_of_two_accuracies_has_newcombes_interval():
    one, other = Share(56, 70), Share(48, 80)
    assert difference(one, other) == pytest.approx((0.0524, 0.3339), abs=1e-4)  # Newcombe's example
    low, high = difference(other, one)
    assert (-high, -low) == pytest.approx(difference(one, other))
    low, high = difference(Share(9, 10), Share(8, 10))
    assert low < 0 < high


def test_the_accuracy_combines_all_versions():
    assert _insights().accuracy is None
    assert _insights(accuracies={"1.0": Share(9, 10), "1.1": Share(1, 2)}).accuracy == Share(10, 12)


def test_answers_are_counted_over_days_and_versions():
    day = date(2026, 1, 2)
    assert _insights(by_day={(day, "1.0"): 2, (day, "1.1"): 3}).answers == 5


def test_a_latency_quantile_is_exact_to_10_percent():
    ten_ms = next(index for index in range(99) if latency_edge_ms(index + 1) > 10)
    found = _insights(latencies={ten_ms: 90, ten_ms + 4 * LATENCY_BINS_A_DOUBLING: 10})
    assert found.latency_ms(0.5) == pytest.approx(10, rel=0.1)
    assert found.latency_ms(0.95) == pytest.approx(160, rel=0.1)
    assert _insights().latency_ms(0.5) is None
