"""A migrated database."""

import pytest

from ops import postgres
from tests.ops.conftest import server, system

__all__ = ["server", "system"]


@pytest.fixture
def migrated(server):
    postgres.migrate(server)
    return server
