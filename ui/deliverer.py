"""The deliverer: carries the outbox to PostgreSQL.

    python -m ui.deliverer            until it is told to stop
    python -m ui.deliverer --check    status 0 when nothing has been waiting for long

One process, so that the page never waits for the database and a killed page loses nothing. With the database away
the records stay where they are, and go on when it is back.
"""

import logging
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

import settings
from ui.outbox import Outbox
from ui.record import COLUMNS, Record

BATCH = 50
POLL_INTERVAL_S = 0.1
CONNECT_TIMEOUT_S = 5.0
RETRY_INTERVAL_S = 1.0
# A healthy deliverer needs a fraction of a second; this is when `--check` calls it late.
LATE_AFTER_S = 10.0

# Never an older revision over a newer one: a record may be delivered twice or late.
UPSERT = """
INSERT INTO predictions ({columns}) VALUES ({values})
ON CONFLICT (id) DO UPDATE SET {changes}
WHERE predictions.revision < excluded.revision
""".format(
    columns=", ".join(COLUMNS),
    values=", ".join(f"%({name})s" for name in COLUMNS),
    changes=", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("id", "created_at")),
)

log = logging.getLogger("ui.deliverer")


def run(outbox: Outbox, pool: ConnectionPool, stop: threading.Event) -> None:
    """Deliver until `stop` is set."""
    away = False
    while not stop.is_set():
        records = outbox.oldest(BATCH)
        if not records:
            stop.wait(POLL_INTERVAL_S)
            continue
        try:
            deliver(outbox, pool, records)
        except (psycopg.Error, PoolTimeout) as error:
            if not away:
                log.warning("the database is away (%s); records wait in the outbox", type(error).__name__)
            away = True
            stop.wait(RETRY_INTERVAL_S)
        else:
            if away:
                log.warning("the database is back")
            away = False


def deliver(outbox: Outbox, pool: ConnectionPool, records: Sequence[Record]) -> None:
    """Carry records over in one transaction; where one is refused, each alone. Raises when the database is away."""
    try:
        _upsert(pool, records)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(records) > 1:
            for record in records:
                deliver(outbox, pool, [record])
            return
        log.error("drawing %s is refused and set aside: %s", records[0].id, error.diag.message_primary)  # noqa: TRY400
        outbox.reject(records[0], str(error.diag.message_primary))
    else:
        outbox.delivered(records)


def open_pool() -> ConnectionPool:
    """Connections to the database, each checked before it is used: one of before a restart is replaced."""
    return ConnectionPool(
        settings.DATABASE_URL.read(),
        kwargs={"password": settings.DATABASE_PASSWORD.read(), "connect_timeout": int(CONNECT_TIMEOUT_S)},
        min_size=1,
        max_size=1,
        timeout=CONNECT_TIMEOUT_S,
        reconnect_timeout=CONNECT_TIMEOUT_S,
        check=ConnectionPool.check_connection,
        open=True,
    )


def _upsert(pool: ConnectionPool, records: Sequence[Record]) -> None:
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.executemany(UPSERT, [asdict(record) for record in records])


def main(arguments: list[str]) -> int:
    outbox = Outbox(settings.OUTBOX_PATH.read())
    if arguments == ["--check"]:
        return 0 if outbox.waiting_seconds() < LATE_AFTER_S else 1
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it warns at every attempt to connect
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: stop.set())
    with open_pool() as pool:
        log.info("delivering")
        run(outbox, pool, stop)
    outbox.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
