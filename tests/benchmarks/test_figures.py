"""Medians, percentiles and ratios, and their form in the tables."""

import pytest

from benchmarks.figures import format_number, format_range, median, percentile, ratio


def test_the_median_is_the_middle_value_or_the_mean_of_the_two_middle_ones():
    assert median([9, 1, 5]) == 5
    assert median([1, 2, 4, 100]) == 3


def test_a_percentile_is_the_nearest_rank():
    values = list(range(100, 0, -1))
    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile(values, 99.5) == 100
    assert percentile(values, 100) == 100
    assert percentile([7], 1) == 7


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_an_invalid_percentile_is_rejected(percent):
    with pytest.raises(ValueError, match=f"percentile of {percent} "):
        percentile([1.0], percent)


def test_without_values_there_is_an_error():
    with pytest.raises(ValueError, match="no values"):
        median([])
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_the_ratio_compares_round_by_round():
    # The machine was ten times slower in the second round: the ratio of the medians would say 1.5.
    assert ratio([300, 30, 300], [200, 20, 150]) == 1.5
    assert ratio([2, 20, 3000], [1, 10, 1000]) == 2


def test_every_round_needs_both_values():
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"), (0, "0")],
)
def test_a_number_has_three_significant_digits(value, text):
    assert format_number(value) == text


def test_a_range_has_the_smallest_and_the_largest_value():
    assert format_range([1310, 1204, 1250]) == "1,204-1,310"
