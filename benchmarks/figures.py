"""Medians, percentiles and ratios, as the tables show them."""

import math
import statistics
from collections.abc import Sequence


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
        raise ValueError(f"A percentile of {percent} was asked for. Accepted: above 0, at most 100.")
    return float(sorted(values)[math.ceil(len(values) * percent / 100) - 1])


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of one / other, round by round: what slows the machine for a while slows both of a round."""
    return median([one / other for one, other in zip(ones, others, strict=True)])


def spread(values: Sequence[float]) -> str:
    """The smallest and the largest: "1,204-1,310"."""
    return f"{shown(min(values))}-{shown(max(values))}"


def shown(value: float) -> str:
    """A number with three digits that count, or all before the point."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"
