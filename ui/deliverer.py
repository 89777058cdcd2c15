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
from contextlib import closing
from dataclasses import asdict
from uuid import UUID

import psycopg
import psycopg.errors
from psycopg_pool import ConnectionPool, PoolTimeout

import settings
from json_logs import log_as_json
from ui.outbox import NotKept, Outbox
from ui.record import FOREIGN, UPSERT, Record
from ui.tracing import span, tracer

BATCH = 50
POLL_INTERVAL_S = 0.1
CONNECT_TIMEOUT_S = 5.0
RETRY_INTERVAL_S = 1.0
# A healthy deliverer needs a fraction of a second; this is when `--check` calls it late.
LATE_AFTER_S = 10.0

# What the database says of one record, whatever the others are. Anything else is about the database, and may pass.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)

log = logging.getLogger("ui.deliverer")


def run(outbox: Outbox, pool: ConnectionPool, stop: threading.Event) -> None:
    """Deliver until `stop` is set."""
    stuck = False
    while not stop.is_set():
        try:
            records = outbox.oldest(BATCH)
            if records:
                deliver(outbox, pool, records)
        except (psycopg.Error, PoolTimeout, NotKept) as error:
            if not stuck:  # said once, and not at every attempt
                log.warning("delivery failed, the records stay in the outbox: %s", _first_line(error))
            stuck = True
            stop.wait(RETRY_INTERVAL_S)
            continue
        if stuck and records:
            log.warning("delivery works again")
            stuck = False
        if not records:
            stop.wait(POLL_INTERVAL_S)


def deliver(outbox: Outbox, pool: ConnectionPool, records: Sequence[Record]) -> None:
    """Carry records over in one transaction; where one is refused, each alone. Raises when the database is away."""
    try:
        with span("deliverer", "deliver", drawings=len(records)):
            foreign = _upsert(pool, records)
    except REFUSALS as error:
        if len(records) > 1:
            for record in records:
                deliver(outbox, pool, [record])
            return
        ids = {"drawing_id": records[0].id}
        log.error("drawing was rejected and set aside: %s", _first_line(error), extra=ids)  # noqa: TRY400
        outbox.reject(records[0], _first_line(error))
    else:
        delivered = [record for record in records if record.id not in foreign]
        outbox.delivered(delivered)
        for record in delivered:
            what = "drawing" if record.true_label is None else "labelled drawing"
            log.info("%s, revision %d: delivered", what, record.revision, extra={"drawing_id": record.id})
        if foreign:
            others = [record for record in records if record.id in foreign]
            for record in others:
                log.warning(
                    "another visitor's drawing was not changed: what was drawn gets the id %s",
                    record.under_own_id().id,
                    extra={"drawing_id": record.id},
                )
            outbox.give_own_ids(others)


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


def _upsert(pool: ConnectionPool, records: Sequence[Record]) -> set[UUID]:
    """Write records; the ids of those that are not written, as the rows are other visitors'."""
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.executemany(UPSERT, [asdict(record) for record in records])
        sent = {"ids": [record.id for record in records], "visitors": [record.visitor for record in records]}
        return {drawing_id for (drawing_id,) in cursor.execute(FOREIGN, sent)}


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def main(arguments: list[str]) -> int:
    with closing(Outbox(settings.OUTBOX_PATH.read())) as outbox:
        if arguments == ["--check"]:
            return _check(outbox)
        log_as_json("deliverer")
        logging.getLogger("psycopg").setLevel(logging.ERROR)  # its pool warns at every attempt to connect
        tracer("deliverer")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: stop.set())
        with open_pool() as pool:
            log.info("delivering")
            run(outbox, pool, stop)
    return 0


def _check(outbox: Outbox) -> int:
    try:
        waiting_s = outbox.waiting_seconds()
    except NotKept as error:
        log.error("%s", error)  # noqa: TRY400
        return 1
    if waiting_s >= LATE_AFTER_S:
        log.error("the oldest record of the outbox has been waiting for %.0f s", waiting_s)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
