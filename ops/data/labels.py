"""Write the labelled drawings of a period to one file, for retraining on another machine.

    write_labels(system, "2026-11-01", "2026-12-01")  # days in UTC; the second is excluded, and "" means no limit

The file is a ZIP with a folder for each label and a picture for each drawing, such as 7/ID.png; unpacked, torchvision's
ImageFolder reads it. It contains only the data that training/retrain/labelled.py needs: id, picture and label, but no
visitor, time or answer. The same drawings give the same bytes, so the S3 store recognizes them
(ops/integrations/registry.py).
"""

import zipfile
from datetime import date, timedelta
from pathlib import Path

import psycopg

from ops.errors import OpsError, UsageError, first_line
from ops.files import replace_file
from ops.native import postgres
from ops.system import System

EXAMPLE = "make push-labels SINCE=2026-11-01 UNTIL=2026-12-01"
LABELLED = """
FROM predictions
WHERE true_label IS NOT NULL
  AND created_at >= coalesce(%(since)s::date, '-infinity')::timestamp AT TIME ZONE 'UTC'
  AND created_at < coalesce(%(until)s::date, 'infinity')::timestamp AT TIME ZONE 'UTC'
"""
SUMMARY = f"""
SELECT count(*), (min(created_at) AT TIME ZONE 'UTC')::date, (max(created_at) AT TIME ZONE 'UTC')::date {LABELLED}
"""
DRAWINGS = f"SELECT id::text, true_label, drawing {LABELLED} ORDER BY id"


def write_labels(system: System, since: str, until: str) -> Path:
    """Write the labelled drawings of a period and return the file's path: SINCE_UNTIL_COUNT-drawings.zip.

    The default period reaches from the day of the first labelled drawing to that of the last. Raises UsageError for a
    wrong day, OpsError if no drawing is labelled or the database is unavailable.
    """
    days = {"since": _day("SINCE", since), "until": _day("UNTIL", until)}
    try:
        with postgres.connect(system) as connection:
            # Both queries read the same rows.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            [(count, first, last)] = connection.execute(SUMMARY, days).fetchall()
            if count == 0:
                limits = zip((" since", " before"), days.values(), strict=True)
                limited = "".join(f"{word} {day}" for word, day in limits if day)
                raise OpsError(f"There is no labelled drawing{limited}: nothing is pushed")
            period = f"{days['since'] or first}_{days['until'] or last + timedelta(days=1)}"
            system.labels.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = system.labels / f"{period}_{count}-drawings.zip"
            with (
                replace_file(path, mode=0o600) as file,
                zipfile.ZipFile(file, "w") as pictures,
                connection.cursor("drawings") as drawings,  # on the server: they may be larger than memory
            ):
                for id_, label, drawing in drawings.execute(DRAWINGS, days):
                    extension = "webp" if drawing.startswith(b"RIFF") else "png"
                    # ZipInfo has a constant time. Pictures are compressed already.
                    pictures.writestr(zipfile.ZipInfo(f"{label}/{id_}.{extension}"), drawing)
    except psycopg.Error as error:
        raise OpsError(f"Database unavailable (check it with 'make status'): {first_line(error)}") from None
    return path


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{name} '{text}' is not a day, for example: {EXAMPLE}") from None
