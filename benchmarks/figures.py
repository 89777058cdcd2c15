"""Times, medians, percentiles and ratios, and their form in the tables."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def time_each(do: Callable[[T], object], things: Iterable[T]) -> list[float]:
    """The milliseconds that `do` takes for each thing."""
    times = []
    for thing in things:
        begun = time.perf_counter()
        do(thing)
        times.append((time.perf_counter() - begun) * 1000)
    return times


def median(values: Sequence[float]) -> float:
    """The middle value. Raises ValueError without values."""
    if not values:
        raise ValueError("There is no median of no values.")
    return float(statistics.median(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("There is no percentile of no values.")
    if not 0 < percent <= 100:
        raise ValueError(f"A percentile of {percent} was requested. Accepted: above 0, at most 100.")
    return float(sorted(values)[math.ceil(len(values) * percent / 100) - 1])


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of one / other, round by round: a temporary slowdown affects both values of a round."""
    return median([one / other for one, other in zip(ones, others, strict=True)])


def summarize(values: Sequence[float]) -> list[str]:
    """Median, 99th percentile and number of values, as cells of a table."""
    return [format_number(median(values)), format_number(percentile(values, 99)), f"{len(values):,}"]


def format_range(values: Sequence[float]) -> str:
    """The smallest and the largest value: "1,204-1,310"."""
    return f"{format_number(min(values))}-{format_number(max(values))}"


def format_number(value: float) -> str:
    """A number with three significant digits, or with all digits before the point."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"
