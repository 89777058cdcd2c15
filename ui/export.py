"""Exports of drawings: a table as CSV, and pictures as a ZIP."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import fields

from ui.pictures import extension
from ui.record import Record

# An export is in the page's memory for a moment. A row of the table has about 300 bytes.
MOST_ROWS = 50_000
MOST_PICTURES = 2_000
MOST_PICTURE_BYTES = 50 * 2**20

COLUMNS = tuple(field.name for field in fields(Record) if field.name not in ("drawing", "visitor"))
# A spreadsheet reads a cell with one of these first characters as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(records: Iterable[Record]) -> bytes:
    """All columns except picture and visitor, as CSV in UTF-8: times in ISO 8601, probabilities as a JSON list."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for record in records:
        writer.writerow([_cell(getattr(record, name)) for name in COLUMNS])
    return file.getvalue().encode()


def pictures(records: Iterable[Record]) -> bytes:
    """A ZIP of pictures, up to MOST_PICTURE_BYTES, named by time, prediction and label."""
    file, size = io.BytesIO(), 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed
        for record in records:
            size += len(record.drawing)
            if size > MOST_PICTURE_BYTES:
                break
            archive.writestr(picture_name(record), record.drawing)
    return file.getvalue()


def picture_name(record: Record) -> str:
    """A name like 20260102T030405_read-7_label-1_0f3c5a7e.png; uploads may be WebP."""
    label = "none" if record.true_label is None else record.true_label
    name = f"{record.created_at:%Y%m%dT%H%M%S}_read-{record.prediction}_label-{label}_{record.id.hex[:8]}"
    return f"{name}.{extension(record.drawing)}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps([round(number, 6) for number in value])
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
