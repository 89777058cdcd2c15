"""Exports of drawings."""

import csv
import io
import json
import uuid
import zipfile
from dataclasses import replace

from tests.ui.test_outbox import LABELLED, RECORD
from ui import export


def _table(*records):
    return list(csv.DictReader(io.StringIO(export.table(records).decode("utf-8"))))


def test_a_table_has_all_columns_except_picture_and_visitor():
    [row, labelled] = _table(RECORD, LABELLED)
    assert list(row) == [name for name in RECORD.__dict__ if name not in ("drawing", "visitor")]
    assert row["created_at"] == "2026-01-02T03:04:05.000678+00:00"
    assert (row["prediction"], row["true_label"], row["is_digit"]) == ("7", "", "True")
    assert json.loads(row["probabilities"]) == [0.1] * 10
    assert (labelled["true_label"], labelled["labelled_at"]) == ("1", "2026-01-02T00:00:00+00:00")


def test_no_cell_is_a_formula():
    for evil in ('=HYPERLINK("x")', "+1", "-1", "@x", "\tx", "\rx"):
        [row] = _table(replace(RECORD, model_version=evil))
        assert row["model_version"] == f"'{evil}"


def test_pictures_are_named_by_time_answer_and_label():
    with zipfile.ZipFile(
        io.BytesIO(export.pictures([RECORD, replace(LABELLED, id=uuid.UUID(int=2**127))]))
    ) as archive:
        assert archive.namelist() == [
            "20260102T030405_read-7_label-none_00000000.png",
            "20260102T030405_read-7_label-1_80000000.png",
        ]
        assert archive.read(archive.namelist()[0]) == RECORD.drawing


def test_the_ending_of_a_picture_matches_its_format():
    assert export.picture_name(replace(RECORD, drawing=b"RIFF\x10\x00\x00\x00WEBPVP8 ")).endswith(".webp")


def test_a_zip_has_a_maximum_size(monkeypatch):
    monkeypatch.setattr(export, "MOST_PICTURE_BYTES", 10 * len(RECORD.drawing))
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield replace(RECORD, id=uuid.uuid4())

    with zipfile.ZipFile(io.BytesIO(export.pictures(endless()))) as archive:
        assert len(archive.namelist()) == 10
    assert taken == 11
