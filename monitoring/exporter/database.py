"""The content of the database and the quality of the model, from the views of sql/migrations/0006.

The exporter's role can read numbers only (sql/migrations/0007).
"""

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric

import settings
from monitoring.exporter.parts import PART_UP
from monitoring.exporter.subjects import labelled_gauge

TIMEOUT_S = 3


class Query(NamedTuple):
    """`labels` names the first columns of the statement; each further column is a gauge (name: help text)."""

    statement: LiteralString
    labels: list[str]
    gauges: dict[str, str]


CONTENT = (
    Query(
        "SELECT pg_database_size(current_database())",
        [],
        {"mnist_database_size_bytes": "Size of the database."},
    ),
    Query(
        "SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1",
        ["state"],
        {
            "mnist_database_connections": "Open connections. PostgreSQL hides the state of other roles' connections."
        },
    ),
    Query(
        "SELECT model_version, sum(drawings), coalesce(sum(drawings) FILTER (WHERE true_label IS NOT NULL), 0)"
        " FROM insights WHERE facet = 'answer' GROUP BY 1",
        ["model_version"],
        {
            "mnist_drawings": "Drawings in the database.",
            "mnist_labelled_drawings": "Drawings in the database that have a label.",
        },
    ),
)
ACCURACY = "Accuracy of labelled drawings of the last 7 days"
QUALITY = (
    Query(
        "SELECT model_version, accuracy, lower, upper FROM model_accuracy",
        ["model_version"],
        {
            "mnist_accuracy": f"{ACCURACY}.",
            "mnist_accuracy_lower": f"{ACCURACY}: lower bound of the 95 % interval.",
            "mnist_accuracy_upper": f"{ACCURACY}: upper bound of the 95 % interval.",
        },
    ),
    Query(
        "SELECT model_version, estimated_accuracy FROM model_estimated_accuracy WHERE drawings >= 200",
        ["model_version"],
        {"mnist_estimated_accuracy": "Mean calibrated confidence of all drawings of the last 7 days."},
    ),
    Query(
        "SELECT model_version, feature, psi FROM model_drift",
        ["model_version", "feature"],
        {
            "mnist_drift_psi": "Population stability index of the last 24 hours against the reference of training."
        },
    ),
)


def up() -> Iterator[Metric]:
    """1 if the database answers a query, else 0."""
    try:
        with _connect() as connection:
            connection.execute("SELECT 1")
        answers = 1.0
    except psycopg.Error:
        answers = 0.0
    yield labelled_gauge(*PART_UP, {"postgres": answers})


def metrics() -> Iterator[Metric]:
    """Size, connections and drawings. Raises psycopg.Error."""
    return _read(CONTENT)


def quality() -> Iterator[Metric]:
    """Accuracy, estimated accuracy and drift by version. Raises psycopg.Error."""
    return _read(QUALITY)


def _connect() -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        settings.DATABASE_URL.read(),
        password=settings.DATABASE_PASSWORD.read(),
        connect_timeout=TIMEOUT_S,
        options=f"-c statement_timeout={TIMEOUT_S}s",
    )


def _read(queries: Sequence[Query]) -> Iterator[Metric]:
    with _connect() as connection:
        for statement, labels, gauges in queries:
            rows = connection.execute(statement).fetchall()
            for column, (name, meaning) in enumerate(gauges.items(), len(labels)):
                family = GaugeMetricFamily(name, meaning, labels=labels)
                for row in rows:
                    family.add_metric(row[: len(labels)], float(row[column]))
                yield family
