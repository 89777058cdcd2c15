"""A migrated database."""

import psycopg
import pytest

from ops.data import secrets
from ops.native import postgres
from tests.ops.conftest import migrated, postgresql, server, system

__all__ = ["migrated", "postgresql", "server", "system"]


@pytest.fixture
def page(migrated):
    """A connection of the page's role."""
    with connect_as_page(migrated) as connection:
        yield connection


@pytest.fixture
def owner(migrated):
    """A connection of the database's owner."""
    with psycopg.connect(postgres.owner_url(migrated), autocommit=True) as connection:
        yield connection


def connect_as_page(system):
    password = secrets.read(system, "database_page_password")
    return psycopg.connect(postgres.role_url(system), password=password, autocommit=True)
