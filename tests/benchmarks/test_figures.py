"""Medians, percentiles and ratios as the tables show them."""

import pytest

from benchmarks.figures import median, percentile, ratio, shown, spread


def test_the_median_is_the_middle_or_between_the_two_middle_ones():
    assert median([9, 1, 5]) == 5
    assert median([1, 2, 4, 100]) == 3


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed():
    values = list(range(100, 0, -1))
    assert percentile(values, 50) == 50
    assert percentile(values, 99) == 99
    assert percentile(values, 99.5) == 100
    assert percentile(values, 100) == 100
    assert percentile([7], 1) == 7


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_a_percentile_that_is_none_is_refused(percent):
    with pytest.raises(ValueError, match=f"percentile of {percent} "):
        percentile([1.0], percent)


def test_of_no_values_there_is_neither():
    with pytest.raises(ValueError, match="no values"):
        median([])
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_the_ratio_compares_round_by_round():
    # The machine was ten times slower in the second round: the ratio of the medians would say 1.5.
    assert ratio([300, 30, 300], [200, 20, 150]) == 1.5
    assert ratio([2, 20, 3000], [1, 10, 1000]) == 2


def test_every_round_needs_both():
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"), (0, "0")],
)
def test_a_number_has_three_digits_that_count(value, text):
    assert shown(value) == text


def test_the_spread_is_from_the_smallest_to_the_largest():
    assert spread([1310, 1204, 1250]) == "1,204-1,310"
