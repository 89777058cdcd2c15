"""The queries of the pages Insights and Models: counts of drawings by day and version (0003_history.sql).

Estimated accuracy and drift are views of 0006_model_quality.sql, which monitoring reads, too.
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
Z_95 = 1.959964  # standard deviations of a 95 % interval
# `storage_by_visitor` reads the sizes of these pictures in 10 ms; those of a million take seconds.
NEWEST_STORED = 10_000


def _count(columns: LiteralString, facet: LiteralString) -> LiteralString:
    return (
        f"SELECT {columns}, sum(drawings)::bigint FROM insights WHERE facet = '{facet}'"
        " AND (%(since)s::date IS NULL OR day >= %(since)s)"
        " AND (%(version)s::text IS NULL OR model_version = %(version)s)"
        f" GROUP BY {columns} HAVING sum(drawings) > 0 ORDER BY {columns}"
    )


ANSWERS_BY_DAY = _count("day, model_version", "latency")
ANSWERS = _count("model_version, prediction, true_label, is_digit", "answer")
CONFIDENCES = _count("is_right, bin", "confidence")
LATENCIES = _count("bin", "latency")
STATEMENTS = (ANSWERS_BY_DAY, ANSWERS, CONFIDENCES, LATENCIES)
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
    """Population stability index (PSI) of a feature in the last 24 hours; `state`: stable, shifted or drifted."""

    model_version: str
    feature: str
    drawings: int
    psi: float
    state: str


@dataclass(frozen=True)
class Stored:
    """Drawings and bytes of a visitor, by hash; None for rows that are older than the column `visitor`."""

    visitor: str | None
    drawings: int
    bytes: int


@dataclass(frozen=True)
class Share:
    """An accuracy: `right` of `labelled` drawings."""

    right: int
    labelled: int

    @property
    def value(self) -> float:
        return self.right / self.labelled

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the true accuracy."""
        n, p = self.labelled, self.value
        centre = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
        half = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n * n)) / (1 + Z_95**2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)


def difference(one: Share, other: Share) -> tuple[float, float]:
    """The 95 % interval of the difference `one` minus `other`. It is not significant if the interval contains 0.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions", 1998, method 10.
    """
    (low, high), (other_low, other_high) = one.interval, other.interval
    apart = one.value - other.value
    return (
        apart - math.hypot(one.value - low, other_high - other.value),
        apart + math.hypot(high - one.value, other.value - other_low),
    )


@dataclass(frozen=True)
class Insights:
    """Counts of drawings in a period, of a version or of all."""

    by_day: Mapping[tuple[date, str], int]  # by day and version
    no_digits: int
    accuracies: Mapping[str, Share]  # by version, without versions that have no labels
    confusion: Mapping[tuple[int, int], int]  # by label and prediction
    confidences: Mapping[tuple[bool | None, int], int]  # by right, wrong or not labelled, and bin
    latencies: Mapping[int, int]  # by bin

    @property
    def answers(self) -> int:
        return sum(self.by_day.values())

    @property
    def accuracy(self) -> Share | None:
        """The accuracy of all versions together; None without labels."""
        shares = self.accuracies.values()
        if not shares:
            return None
        return Share(sum(share.right for share in shares), sum(share.labelled for share in shares))

    def latency_ms(self, share: float) -> float | None:
        """A quantile of the latency, to about 10 %, the width of a bin; None without answers."""
        before, wanted = 0, share * sum(self.latencies.values())
        for index, count in sorted(self.latencies.items()):
            if before + count >= wanted:
                return latency_edge_ms(index + (wanted - before) / count)
            before += count
        return None


def insights(connection: Connection[Any], since: date | None = None, version: str | None = None) -> Insights:
    """The counts of a version, or of all, since a UTC day."""
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
        confidences={(right, index): n for right, index, n in connection.execute(CONFIDENCES, values)},
        latencies=dict(connection.execute(LATENCIES, values).fetchall()),
    )


def estimates(
    connection: Connection[Any], since: date | None = None, version: str | None = None
) -> dict[str, float]:
    """The estimated accuracy by version, of a version or of all, since a UTC day."""
    return dict(connection.execute(ESTIMATES, {"since": since, "version": version}).fetchall())


def drifts(connection: Connection[Any], version: str | None = None) -> list[Drift]:
    """The drift of a version, or of all. A version needs a reference and enough drawings."""
    with connection.cursor(row_factory=args_row(Drift)) as cursor:
        return cursor.execute(DRIFTS, {"version": version}).fetchall()


def storage_by_visitor(connection: Connection[Any], since: date | None, visitors: int) -> list[Stored]:
    """The visitors with most bytes in the newest drawings, since a UTC day."""
    values = {"since": since, "newest": NEWEST_STORED, "visitors": visitors}
    with connection.cursor(row_factory=args_row(Stored)) as cursor:
        return cursor.execute(STORED, values).fetchall()


def latency_edge_ms(index: float) -> float:
    """The lower edge of a latency bin, in milliseconds."""
    return float(2 ** (index / LATENCY_BINS_A_DOUBLING))
