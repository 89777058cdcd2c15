"""Connections to PostgreSQL: one pool for the deliverer, and a read-only pool for History and Insights.

Drawing needs no database: answers and labels go to the outbox.
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
# A person waits this long for a page, at most.
CONNECT_TIMEOUT_S = 3.0
STATEMENT_TIMEOUT_S = 5
IDLE_S = 60.0

log = logging.getLogger("ui.database")

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class DatabaseError(Exception):
    """The database gave no answer: it is unavailable, too slow, or has another schema."""


class Database:
    """Read-only connections with the page's role, opened at the first use. All visitors share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction. Raises DatabaseError, also for errors in the block."""
        try:
            with self._open().connection() as connection:
                yield connection
        except (psycopg.Error, PoolTimeout, settings.SettingError) as error:
            log.warning("database unavailable: %s", first_line(error))
            raise DatabaseError from error

    def _open(self) -> "ConnectionPool[Connection]":
        with self._lock:
            if self._pool is None:
                read_only = f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c default_transaction_read_only=on"
                self._pool = open_pool(0, MOST_CONNECTIONS, CONNECT_TIMEOUT_S, read_only)
            return self._pool


def open_pool(fewest: int, most: int, timeout_s: float, options: str = "") -> "ConnectionPool[Connection]":
    """Connections with the page's role. A connection that a restart of PostgreSQL closed is replaced."""
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # the pool warns at every attempt to connect
    password = settings.DATABASE_PASSWORD.read()
    return ConnectionPool(
        settings.DATABASE_URL.read(),
        kwargs={"password": password, "connect_timeout": int(timeout_s), "options": options},
        min_size=fewest,
        max_size=most,
        max_idle=IDLE_S,
        timeout=timeout_s,
        reconnect_timeout=timeout_s,
        check=ConnectionPool.check_connection,
        open=True,
    )


def first_line(error: BaseException) -> str:
    """The first line of a message of PostgreSQL; the others may quote a row."""
    return str(error).strip().partition("\n")[0]
