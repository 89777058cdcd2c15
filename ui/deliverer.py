"""The deliverer: moves records from the outbox to PostgreSQL.

    python -m ui.deliverer            runs until SIGTERM
    python -m ui.deliverer --check    exit code 0 unless a record waits for too long

A separate process: the page never waits for the database, and a killed page loses nothing. While the database is
unavailable the records stay in the outbox.
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
from ui.database import Connection, first_line, open_pool
from ui.outbox import Outbox
from ui.outbox_file import OutboxError
from ui.record import FOREIGN, UPSERT, Record
from ui.tracing import span, tracer

BATCH = 50
POLL_INTERVAL_S = 0.1
CONNECT_TIMEOUT_S = 5.0
RETRY_INTERVAL_S = 1.0
# `--check` reports an older record. A healthy deliverer needs a fraction of a second.
LATE_AFTER_S = 10.0

# Errors of one record. All others are errors of the database and may pass.
REFUSALS = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)

log = logging.getLogger("ui.deliverer")


def run(outbox: Outbox, pool: "ConnectionPool[Connection]", stop: threading.Event) -> None:
    """Deliver until `stop` is set."""
    is_failing = False
    while not stop.is_set():
        try:
            records = outbox.oldest(BATCH)
            if records:
                deliver(outbox, pool, records)
        except (psycopg.Error, PoolTimeout, OutboxError) as error:
            if not is_failing:  # logged once, not at every attempt
                log.warning("delivery failed, the records stay in the outbox: %s", first_line(error))
            is_failing = True
            stop.wait(RETRY_INTERVAL_S)
            continue
        if is_failing and records:
            log.warning("delivery works again")
            is_failing = False
        if not records:
            stop.wait(POLL_INTERVAL_S)


def deliver(outbox: Outbox, pool: "ConnectionPool[Connection]", records: Sequence[Record]) -> None:
    """Deliver records in one transaction; after a refusal, each record alone.

    A record that is refused alone is set aside. Raises psycopg.Error, PoolTimeout or OutboxError.
    """
    try:
        with span("deliverer", "deliver", drawings=len(records)):
            foreign = _upsert(pool, records)
    except REFUSALS as error:
        if len(records) > 1:
            for record in records:
                deliver(outbox, pool, [record])
            return
        ids = {"drawing_id": records[0].id}
        log.error("drawing was rejected and set aside: %s", first_line(error), extra=ids)  # noqa: TRY400
        outbox.reject(records[0], first_line(error))
        return
    outbox.remove([record for record in records if record.id not in foreign])
    if foreign:
        outbox.derive_ids([record for record in records if record.id in foreign])
    for record in records:
        ids = {"drawing_id": record.id}
        if record.id in foreign:
            derived = record.derive_id().id
            log.warning(
                "another visitor's drawing was not changed: the record gets the id %s", derived, extra=ids
            )
        else:
            what = "drawing" if record.true_label is None else "labelled drawing"
            log.info("%s, revision %d: delivered", what, record.revision, extra=ids)


def _upsert(pool: "ConnectionPool[Connection]", records: Sequence[Record]) -> set[UUID]:
    """Write records; returns the ids of rows of other visitors, which were not changed."""
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.executemany(UPSERT, [asdict(record) for record in records])
        sent = {"ids": [record.id for record in records], "visitors": [record.visitor for record in records]}
        return {drawing_id for (drawing_id,) in cursor.execute(FOREIGN, sent)}


def main(arguments: list[str]) -> int:
    with closing(Outbox(settings.OUTBOX_PATH.read())) as outbox:
        if arguments == ["--check"]:
            return _check(outbox)
        log_as_json("deliverer")
        tracer("deliverer")
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _signal, _frame: stop.set())
        with open_pool(1, 1, CONNECT_TIMEOUT_S) as pool:
            log.info("delivering")
            run(outbox, pool, stop)
    return 0


def _check(outbox: Outbox) -> int:
    try:
        waiting_s = outbox.waiting_seconds()
    except OutboxError as error:
        log.error("%s", error)  # noqa: TRY400
        return 1
    if waiting_s < LATE_AFTER_S:
        return 0
    log.error("the oldest record of the outbox has been waiting for %.0f s", waiting_s)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
