"""What the database holds, by the page's role."""

from collections.abc import Iterator

import psycopg
from prometheus_client.core import Metric

import settings
from monitoring.exporter.parts import PART_UP
from monitoring.exporter.subjects import gauge, labelled

TIMEOUT_S = 3
DRAWINGS = """
    SELECT model_version, sum(drawings)::bigint,
           coalesce(sum(drawings) FILTER (WHERE true_label IS NOT NULL), 0)::bigint
    FROM insights WHERE facet = 'answer' GROUP BY 1
"""
SIZE = """
    SELECT pg_database_size(current_database()), numbackends FROM pg_stat_database WHERE datname = current_database()
"""


def metrics() -> Iterator[Metric]:
    """Says that the database is away where it does not answer."""
    try:
        with psycopg.connect(
            settings.DATABASE_URL.read(),
            password=settings.DATABASE_PASSWORD.read(),
            connect_timeout=TIMEOUT_S,
            options=f"-c statement_timeout={TIMEOUT_S}s",
        ) as connection:
            drawings = connection.execute(DRAWINGS).fetchall()
            [(size, connections)] = connection.execute(SIZE).fetchall()
    except psycopg.OperationalError:
        yield labelled(*PART_UP, {"postgres": 0.0})
        return
    yield labelled(*PART_UP, {"postgres": 1.0})
    yield gauge("mnist_database_size_bytes", "Size of the database.", size)
    yield gauge("mnist_database_connections", "Open connections.", connections)
    by_version = ("model_version", {version: count for version, count, _ in drawings})
    yield labelled("mnist_drawings", "Drawings in the database.", *by_version)
    by_version = ("model_version", {version: labels for version, _, labels in drawings})
    yield labelled("mnist_labelled_drawings", "Those of them with a label.", *by_version)
