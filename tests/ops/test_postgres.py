"""PostgreSQL's data directory: made whole or not at all, and below a folder that is closed to others."""

import psycopg
import pytest

from ops import postgres, secrets
from ops.errors import OpsError


def test_a_data_directory_that_was_broken_off_is_made_anew(system):
    secrets.ensure(system)
    unfinished = system.database.with_suffix(".unfinished")
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres.initialise(system)
    assert (system.database / "global" / "pg_control").exists()
    assert not unfinished.exists()


def test_a_complete_data_directory_is_left_alone(system):
    system.database.mkdir()
    (system.database / "mine").write_text("rows")
    postgres.initialise(system)
    assert [path.name for path in system.database.iterdir()] == ["mine"]


def test_migrations_may_be_applied_again_and_nobody_gets_in_without_a_password(server):
    postgres.migrate(server)
    postgres.migrate(server)
    password = secrets.read(server, "database_page_password")
    with psycopg.connect(postgres.page_url(server), password=password) as connection:
        assert connection.execute("SELECT count(*) FROM predictions").fetchone() == (0,)
    for wrong in ("", "owner", secrets.read(server, "database_owner_password")):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.page_url(server), password=wrong)


def test_a_failed_migration_says_why_and_does_not_show_the_password(system):
    secrets.ensure(system)
    with pytest.raises(OpsError, match=r"The database could not be migrated:\n.*refused") as raised:
        postgres.migrate(system)
    assert secrets.read(system, "database_owner_password") not in str(raised.value)
