"""What Insights asks of the database: counts by day and version, kept as drawings come (0003_history.sql).

Estimated accuracy and drift are views of 0006_model_quality.sql, which monitoring reads too.
"""

# ruff: noqa: S608  as in ui/history.py

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import args_row

CONFIDENCE_BINS = 20
LATENCY_BINS_A_DOUBLING = 8
Z_95 = 1.959964  # standard deviations that hold 95 % of a normal distribution

_WHICH: LiteralString = (
    "(%(since)s::date IS NULL OR day >= %(since)s)"
    " AND (%(version)s::text IS NULL OR model_version = %(version)s)"
)
ANSWERS_BY_DAY: LiteralString = (
    "SELECT day, model_version, sum(drawings)::bigint FROM insights"
    f" WHERE facet = 'latency' AND {_WHICH} GROUP BY 1, 2 HAVING sum(drawings) > 0 ORDER BY 1, 2"
)
ANSWERS: LiteralString = (
    "SELECT model_version, prediction, true_label, is_digit, sum(drawings)::bigint FROM insights"
    f" WHERE facet = 'answer' AND {_WHICH} GROUP BY 1, 2, 3, 4 HAVING sum(drawings) > 0"
)
CONFIDENCES: LiteralString = (
    "SELECT is_right, bin, sum(drawings)::bigint FROM insights"
    f" WHERE facet = 'confidence' AND {_WHICH} GROUP BY 1, 2 HAVING sum(drawings) > 0"
)
LATENCIES: LiteralString = (
    "SELECT bin, sum(drawings)::bigint FROM insights"
    f" WHERE facet = 'latency' AND {_WHICH} GROUP BY 1 HAVING sum(drawings) > 0"
)
STATEMENTS = (ANSWERS_BY_DAY, ANSWERS, CONFIDENCES, LATENCIES)


# Each of them is read, which takes 10 ms; of a million it would be seconds.
NEWEST_STORED = 10_000
STORED: LiteralString = (
    "SELECT visitor, count(*), sum(octet_length(drawing)) FROM ("
    " SELECT visitor, drawing FROM predictions WHERE created_at >= coalesce(%(since)s::date, '-infinity')"
    " ORDER BY created_at DESC, id DESC LIMIT %(newest)s"
    ") AS newest GROUP BY 1 ORDER BY 3 DESC LIMIT %(visitors)s"
)
ESTIMATES: LiteralString = (
    "SELECT model_version, estimated_accuracy"
    " FROM estimated_accuracy(coalesce(%(since)s::date, '-infinity')::timestamp AT TIME ZONE 'UTC')"
    " WHERE %(version)s::text IS NULL OR model_version = %(version)s ORDER BY 1"
)
DRIFTS: LiteralString = (
    "SELECT model_version, feature, drawings, psi, state FROM model_drift"
    " WHERE %(version)s::text IS NULL OR model_version = %(version)s ORDER BY 1"
)


@dataclass(frozen=True)
class Drift:
    """A feature's population stability index (PSI) of the last 24 hours; `state` is stable, shifted or drifted."""

    model_version: str
    feature: str
    drawings: int
    psi: float
    state: str


@dataclass(frozen=True)
class Stored:
    """What a visitor, known by a hash, has in the database; None: of before visitors were recorded."""

    visitor: str | None
    drawings: int
    bytes: int


@dataclass(frozen=True)
class Share:
    """`right` of `labelled`, with the interval that holds the true share in 95 of 100 such samples (Wilson's)."""

    right: int
    labelled: int

    @property
    def value(self) -> float:
        return self.right / self.labelled

    @property
    def interval(self) -> tuple[float, float]:
        n, p = self.labelled, self.value
        centre = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
        half = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n)) / (1 + Z_95**2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)


def difference(one: Share, other: Share) -> tuple[float, float]:
    """Where the true difference of two shares, `one` minus `other`, lies in 95 of 100 such samples.

    By their intervals: R. G. Newcombe, "Interval estimation for the difference between independent proportions", 1998,
    method 10. Where it holds 0, the two may be alike.
    """
    (low, high), (others_low, others_high) = one.interval, other.interval
    apart = one.value - other.value
    return (
        apart - math.hypot(one.value - low, others_high - other.value),
        apart + math.hypot(high - one.value, other.value - others_low),
    )


@dataclass(frozen=True)
class Insights:
    """Counts of drawings, for a period and a version."""

    by_day: Mapping[tuple[date, str], int]
    no_digits: int
    accuracies: Mapping[str, Share]  # by version, of those that have labelled drawings
    confusion: Mapping[tuple[int, int], int]  # (label, answer)
    confidences: Mapping[tuple[bool | None, int], int]  # (right, wrong or not labelled; twentieth)
    latencies: Mapping[int, int]  # by bin

    @property
    def answers(self) -> int:
        return sum(self.by_day.values())

    @property
    def accuracy(self) -> Share | None:
        """Of all versions together; None while nothing is labelled."""
        shares = self.accuracies.values()
        if not shares:
            return None
        return Share(sum(share.right for share in shares), sum(share.labelled for share in shares))

    def latency_ms(self, share: float) -> float | None:
        """What this share of the answers took at most, give or take a tenth: a bin is that wide."""
        before, wanted = 0, share * sum(self.latencies.values())
        for place, count in sorted(self.latencies.items()):
            if before + count >= wanted:
                within = (wanted - before) / count
                return float(2 ** ((place + within) / LATENCY_BINS_A_DOUBLING))
            before += count
        return None


def insights(connection: Connection[Any], since: date | None = None, version: str | None = None) -> Insights:
    """The counts of a version, or of all, from a day on (UTC)."""
    values = {"since": since, "version": version}
    right, labelled = Counter[str](), Counter[str]()
    confusion = Counter[tuple[int, int]]()
    no_digits = 0
    for model_version, prediction, true_label, is_digit, count in connection.execute(ANSWERS, values):
        no_digits += 0 if is_digit else count
        if true_label is not None:
            labelled[model_version] += count
            right[model_version] += count if true_label == prediction else 0
            confusion[true_label, prediction] += count
    return Insights(
        by_day={(day, model): count for day, model, count in connection.execute(ANSWERS_BY_DAY, values)},
        no_digits=no_digits,
        accuracies={name: Share(right[name], labelled[name]) for name in sorted(labelled)},
        confusion=dict(confusion),
        confidences={(right, place): n for right, place, n in connection.execute(CONFIDENCES, values)},
        latencies=dict(connection.execute(LATENCIES, values).fetchall()),
    )


def estimates(
    connection: Connection[Any], since: date | None = None, version: str | None = None
) -> dict[str, float]:
    """The estimated accuracy of a version, or of all, by version, from a day on (UTC)."""
    return dict(connection.execute(ESTIMATES, {"since": since, "version": version}).fetchall())


def drifts(connection: Connection[Any], version: str | None = None) -> list[Drift]:
    """The drift of a version, or of all; none of a version without a reference or with too few drawings."""
    with connection.cursor(row_factory=args_row(Drift)) as cursor:
        return cursor.execute(DRIFTS, {"version": version}).fetchall()


def most_stored(connection: Connection[Any], since: date | None, visitors: int) -> list[Stored]:
    """The visitors with most bytes among the newest drawings, from a day on (UTC)."""
    values = {"since": since, "newest": NEWEST_STORED, "visitors": visitors}
    with connection.cursor(row_factory=args_row(Stored)) as cursor:
        return cursor.execute(STORED, values).fetchall()


def latency_edge_ms(place: int) -> float:
    """Where a bin of latency begins."""
    return float(2 ** (place / LATENCY_BINS_A_DOUBLING))
