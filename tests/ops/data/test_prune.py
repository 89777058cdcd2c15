"""`make prune` deletes and counts old drawings, labelled or not, and keeps the rest."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fixtures import predictions
from ops.data import prune, secrets
from ops.errors import OpsError, UsageError
from ops.native import postgres


@pytest.fixture
def log(server):
    """The owner's connection to a migrated database with drawings of 1, 29, 31 and 400 days ago."""
    postgres.migrate(server)
    with psycopg.connect(postgres.owner_url(server), autocommit=True) as connection:
        for days, label in ((1, None), (29, 3), (31, None), (400, 7)):
            at = datetime.now(UTC) - timedelta(days=days)
            predictions.insert(connection, created_at=at, true_label=label, labelled_at=label and at)
        yield connection


def _ages(log):
    rows = log.execute("SELECT extract(day FROM now() - created_at)::int FROM predictions ORDER BY 1")
    return [age for (age,) in rows]


def test_prune_deletes_and_counts_old_drawings(server, log, capsys, monkeypatch):
    monkeypatch.setattr(prune, "BATCH", 1)
    prune.prune(server, 30)
    message = capsys.readouterr().out
    assert message.startswith("Removed 2 drawings older than 30 days (before 20")
    assert message.endswith(" UTC), 1 of them labelled.\n")
    assert _ages(log) == [1, 29]
    counted = "SELECT sum(drawings) FROM insights WHERE facet = 'answer' AND drawings > 0"
    assert log.execute(counted).fetchone() == (2,)
    assert log.execute("SELECT count(*) FROM insights WHERE drawings <= 0").fetchone() == (0,)


def test_prune_reports_zero_drawings(server, log, capsys):
    prune.prune(server, 500)
    assert capsys.readouterr().out.startswith("Removed 0 drawings older than 500 days")
    assert len(_ages(log)) == 4


def test_prune_without_a_database_prints_one_line(system):
    secrets.ensure(system)
    with pytest.raises(OpsError, match=r"Removed 0 drawings, .*'make status'") as raised:
        prune.prune(system, 30)
    assert len(str(raised.value).splitlines()) == 1
    assert secrets.read(system, "database_owner_password") not in str(raised.value)


@pytest.mark.parametrize("text", ["1", "30", "36500"])
def test_days_accepts_a_whole_number(text):
    assert prune.days(text) == int(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "thirty", "36501", "30 days", "٣٠", "1e3"])
def test_a_wrong_number_of_days_is_named(text):
    message = f"^DAYS '{text}' is not a number of days from 1 to 36500, for example:"
    with pytest.raises(UsageError, match=message):
        prune.days(text)
