"""The database as History and Insights read it: a few connections, opened when they are first needed.

Drawing needs none of this: answers and labels go to the outbox.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

import settings

MOST_CONNECTIONS = 4
# How long a person waits for a page that the database does not give.
CONNECT_TIMEOUT_S = 3.0
STATEMENT_TIMEOUT_S = 5
IDLE_S = 60.0

log = logging.getLogger("ui.database")

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class DatabaseAway(Exception):  # noqa: N818  it reads as what happened
    """The database gave no answer: it is away, too slow, or not the one that the page knows."""


class Database:
    """Read-only connections with the page's role, shared by all visitors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction of its own. Raises DatabaseAway, also for what happens within."""
        try:
            with self._open().connection() as connection:
                yield connection
        except (psycopg.Error, PoolTimeout, settings.SettingError) as error:
            log.warning("database unavailable: %s", str(error).partition("\n")[0])
            raise DatabaseAway from error

    def close(self) -> None:
        """Give back the connections; a later use opens them again."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def _open(self) -> "ConnectionPool[Connection]":
        with self._lock:
            if self._pool is None:
                logging.getLogger("psycopg").setLevel(logging.ERROR)  # its pool warns at every attempt
                self._pool = ConnectionPool(
                    settings.DATABASE_URL.read(),
                    kwargs={
                        "password": settings.DATABASE_PASSWORD.read(),
                        "connect_timeout": int(CONNECT_TIMEOUT_S),
                        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s"
                        " -c default_transaction_read_only=on",
                    },
                    min_size=0,
                    max_size=MOST_CONNECTIONS,
                    max_idle=IDLE_S,
                    timeout=CONNECT_TIMEOUT_S,
                    reconnect_timeout=CONNECT_TIMEOUT_S,
                    check=ConnectionPool.check_connection,
                    open=True,
                )
            return self._pool
