"""The benchmark of the database, with a small table."""

import pytest

from benchmarks import database

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def results():
    with pytest.MonkeyPatch.context() as patch:
        for name, number in (("ROWS", 20_000), ("DRAWINGS", 20), ("BATCHES", 3), ("READS", 5), ("PRUNES", 3)):
            patch.setattr(database, name, number)
        return database.measure()


def test_every_figure_has_its_number_of_measurements(results):
    repeats = {
        "The log": {"20", "3"},
        "A page of History": {"5"},
        "Insights": {"5"},
        "Pruning": {"3"},
    }
    assert {table.title: {row[-1] for row in table.rows} for table in results.tables} == repeats
    for table in results.tables:
        assert all(float(cell.replace(",", "")) > 0 for row in table.rows for cell in row[1:])
    assert "20,000 drawings" in results.summary


def test_history_is_measured_with_every_filter(results):
    [history] = [table for table in results.tables if table.title == "A page of History"]
    asked = {row[0] for row in history.rows}
    assert asked >= {"the newest", "10,000 drawings deep", "one digit", "one version", "wrong only", "unlabelled",
                     "no digit", "a week"}  # fmt: skip


def test_a_prune_removes_the_drawings_of_one_day(results):
    # A hundredth of the drawings, and a few that pass the age limit during the run.
    assert all(200 <= removed <= 205 for removed in results.numbers["prune"]["removed"])
