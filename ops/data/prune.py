"""Delete old drawings, also labelled ones."""

from datetime import UTC, datetime, timedelta

import psycopg

from ops.errors import OpsError, UsageError, first_line
from ops.native import postgres
from ops.system import System

# Drawings per transaction; few, so that the deliverer does not wait long for locks.
BATCH = 5_000
MOST_DAYS = 36_500

REMOVE = """
WITH removed AS (
    DELETE FROM predictions
    WHERE id IN (SELECT id FROM predictions WHERE created_at < %s ORDER BY created_at LIMIT %s)
    RETURNING true_label
)
SELECT count(*), count(true_label) FROM removed
"""


def days(text: str) -> int:
    """Parse the value of DAYS=, 1 to MOST_DAYS. Raises UsageError."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_DAYS):
        wrong = f"DAYS '{text}' is not a number of days from 1 to {MOST_DAYS}" if text else "DAYS is missing"
        raise UsageError(f"{wrong}, for example: make prune DAYS=30")
    return int(text)


def prune(system: System, days: int) -> None:
    """Delete drawings older than `days` and print their number. Raises OpsError.

    Deletes in batches: an interruption leaves the rest for the next run.
    """
    oldest = datetime.now(UTC) - timedelta(days=days)
    drawings = labelled = 0
    try:
        with postgres.connect(system, autocommit=True) as connection:
            while True:
                [(removed, removed_labelled)] = connection.execute(REMOVE, (oldest, BATCH))
                drawings, labelled = drawings + removed, labelled + removed_labelled
                if removed < BATCH:
                    break
            # The trigger has set these counts to 0.
            connection.execute("DELETE FROM insights WHERE drawings = 0")
    except (OSError, psycopg.Error) as error:
        raise OpsError(
            f"Removed {drawings} drawings, then the database failed (check it with 'make status', then run "
            f"'make prune' again): {first_line(error)}"
        ) from None
    print(
        f"Removed {drawings} drawings older than {days} day{'s' if days > 1 else ''} "
        f"(before {oldest:%Y-%m-%d %H:%M} UTC), {labelled} of them labelled."
    )
