"""What the database holds and how well the model does (sql/migrations/0006).

Read by a role that sees numbers alone (0007).
"""

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from prometheus_client.core import GaugeMetricFamily, Metric

import settings
from monitoring.exporter.parts import PART_UP
from monitoring.exporter.subjects import gauge, labelled

TIMEOUT_S = 3
SIZE: LiteralString = "SELECT pg_database_size(current_database())"
# Each: metric, meaning, labels, and a query with the labels and the value.
NOW: tuple[tuple[str, str, list[str], LiteralString], ...] = (
    (
        "mnist_database_connections",
        "Open connections. PostgreSQL hides the state of other roles' connections.",
        ["state"],
        "SELECT coalesce(state, 'other'), count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1",
    ),
    (
        "mnist_drawings",
        "Drawings in the database.",
        ["model_version"],
        "SELECT model_version, sum(drawings) FROM insights WHERE facet = 'answer' GROUP BY 1",
    ),
    (
        "mnist_labelled_drawings",
        "Those of them with a label.",
        ["model_version"],
        "SELECT model_version, coalesce(sum(drawings) FILTER (WHERE true_label IS NOT NULL), 0) FROM insights"
        " WHERE facet = 'answer' GROUP BY 1",
    ),
)
ACCURACY = "Accuracy of labelled drawings of the last 7 days"
QUALITY: tuple[tuple[str, str, list[str], LiteralString], ...] = (
    (
        "mnist_accuracy",
        f"{ACCURACY}.",
        ["model_version"],
        "SELECT model_version, accuracy FROM model_accuracy",
    ),
    (
        "mnist_accuracy_lower",
        f"{ACCURACY}: lower end of the 95 % interval.",
        ["model_version"],
        "SELECT model_version, lower FROM model_accuracy",
    ),
    (
        "mnist_accuracy_upper",
        f"{ACCURACY}: upper end of the 95 % interval.",
        ["model_version"],
        "SELECT model_version, upper FROM model_accuracy",
    ),
    (
        "mnist_estimated_accuracy",
        "Mean calibrated confidence of all drawings of the last 7 days.",
        ["model_version"],
        "SELECT model_version, estimated_accuracy FROM model_estimated_accuracy WHERE drawings >= 200",
    ),
    (
        "mnist_drift_psi",
        "Population stability index of the last 24 hours against the reference of training.",
        ["model_version", "feature"],
        "SELECT model_version, feature, psi FROM model_drift",
    ),
)


def up() -> Iterator[Metric]:
    """Whether the database answers."""
    try:
        with _connect() as connection:
            connection.execute("SELECT 1")
        answers = 1.0
    except psycopg.Error:
        answers = 0.0
    yield labelled(*PART_UP, {"postgres": answers})


def metrics() -> Iterator[Metric]:
    """Raises psycopg.Error."""
    with _connect() as connection:
        [(size,)] = connection.execute(SIZE).fetchall()
        yield gauge("mnist_database_size_bytes", "Size of the database.", size)
        yield from _read(connection, NOW)


def quality() -> Iterator[Metric]:
    """How well the model does. Raises psycopg.Error."""
    with _connect() as connection:
        yield from _read(connection, QUALITY)


def _connect() -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        settings.DATABASE_URL.read(),
        password=settings.DATABASE_PASSWORD.read(),
        connect_timeout=TIMEOUT_S,
        options=f"-c statement_timeout={TIMEOUT_S}s",
    )


def _read(
    connection: psycopg.Connection[tuple[Any, ...]],
    queries: tuple[tuple[str, str, list[str], LiteralString], ...],
) -> Iterator[Metric]:
    for name, meaning, labels, query in queries:
        family = GaugeMetricFamily(name, meaning, labels=labels)
        for *label_values, value in connection.execute(query):
            family.add_metric(label_values, float(value))
        yield family
