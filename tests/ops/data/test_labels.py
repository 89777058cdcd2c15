"""The labelled drawings of a period in one file, from a real PostgreSQL."""

import stat
import uuid
import zipfile

import psycopg
import pytest

from fixtures import predictions
from ops.data import secrets
from ops.data.labels import write_labels
from ops.errors import OpsError, UsageError
from ops.native import postgres

VISITOR = "7e" * 32
# Id, time and label; not in the order of the ids, in which the drawings are written.
DRAWN = (
    (9, "2026-10-31T23:59:59.999999+00:00", 0),
    (8, "2026-11-01T00:00:00+00:00", 1),
    (1, "2026-11-15T12:00:00+00:00", None),
    (2, "2026-11-30T23:59:59.999999+00:00", 3),
    (3, "2026-11-30T19:00:00-05:00", 4),  # 2026-12-01 00:00 in UTC
)


@pytest.fixture
def labelled(server):
    """A system with four labelled drawings around November, and the owner's connection."""
    postgres.migrate(server)
    with psycopg.connect(postgres.owner_url(server), autocommit=True) as connection:
        connection.execute("ALTER DATABASE mnist SET timezone TO 'America/New_York'")
        for number, at, label in DRAWN:
            predictions.insert(
                connection,
                id=uuid.UUID(int=number),
                created_at=at,
                true_label=label,
                labelled_at=None if label is None else at,
                drawing=b"RIFF of 8" if number == 8 else b"png of %d" % number,
                visitor=VISITOR,
            )
        yield server, connection


def _content(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as pictures:
        return {name: pictures.read(name) for name in pictures.namelist()}


@pytest.mark.parametrize(
    ("since", "until", "name", "numbers"),
    [
        ("2026-11-01", "2026-12-01", "2026-11-01_2026-12-01_2-drawings.zip", [2, 8]),
        ("2026-11-02", "", "2026-11-02_2026-12-02_2-drawings.zip", [2, 3]),
        ("", "2026-11-30", "2026-10-31_2026-11-30_2-drawings.zip", [8, 9]),
        ("", "", "2026-10-31_2026-12-02_4-drawings.zip", [2, 3, 8, 9]),
    ],
)
def test_a_period_has_the_labelled_drawings_of_its_days_in_utc(labelled, since, until, name, numbers):
    path = write_labels(labelled[0], since, until)
    assert path == labelled[0].labels / name
    labels = {number: label for number, _, label in DRAWN}
    found = [(int(name[0]), uuid.UUID(name[2:].partition(".")[0]).int) for name in _content(path)]
    assert found == [(labels[number], number) for number in numbers]


def test_a_file_has_only_ids_pictures_and_labels(labelled):
    path = write_labels(labelled[0], "2026-11-01", "2026-12-01")
    assert _content(path) == {
        f"3/{uuid.UUID(int=2)}.png": b"png of 2",
        f"1/{uuid.UUID(int=8)}.webp": b"RIFF of 8",
    }
    assert VISITOR.encode() not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_the_same_drawings_give_the_same_bytes(labelled):
    system, connection = labelled
    first = (path := write_labels(system, "", "")).read_bytes()
    with zipfile.ZipFile(path) as pictures:
        assert {picture.date_time for picture in pictures.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert write_labels(system, "", "").read_bytes() == first
    connection.execute("UPDATE predictions SET true_label = 5 WHERE true_label = 4")
    assert write_labels(system, "", "").read_bytes() != first


@pytest.mark.parametrize(
    ("since", "until", "period"),
    [
        ("2026-12-02", "", " since 2026-12-02"),
        ("", "2026-10-31", " before 2026-10-31"),
        ("2026-11-02", "2026-11-30", " since 2026-11-02 before 2026-11-30"),
        ("2026-12-01", "2026-11-01", " since 2026-12-01 before 2026-11-01"),
    ],
)
def test_an_empty_period_is_named_and_writes_no_file(labelled, since, until, period):
    with pytest.raises(OpsError, match=f"^There is no labelled drawing{period}: nothing is pushed$"):
        write_labels(labelled[0], since, until)
    assert not labelled[0].labels.exists()


def test_without_a_label_there_is_no_file(server, count_drawings):
    with pytest.raises(OpsError, match=r"^There is no labelled drawing: nothing is pushed$"):
        write_labels(server, "", "")


@pytest.mark.parametrize("text", ["yesterday", "2026-11-31", "2026-11-01T00:00", "1e3"])
@pytest.mark.parametrize("name", ["SINCE", "UNTIL"])
def test_a_wrong_day_is_named(system, name, text):
    days = {"SINCE": "", "UNTIL": "", name: text}
    message = (
        f"^{name} '{text}' is not a day, for example: make push-labels SINCE=2026-11-01 UNTIL=2026-12-01$"
    )
    with pytest.raises(UsageError, match=message):
        write_labels(system, *days.values())


def test_an_unavailable_database_is_reported_in_one_line(system):
    secrets.ensure(system)
    with pytest.raises(OpsError, match=r"^Database unavailable \(check it with 'make status'\): ") as raised:
        write_labels(system, "", "")
    assert len(str(raised.value).splitlines()) == 1
    assert secrets.read(system, "database_owner_password") not in str(raised.value)
