"""References for drift: the answers of each archive's model to drawings outside its training data.

    write_references(system)

The view model_drift of sql/migrations/0006_model_quality.sql compares new drawings with them.
"""

import json
from collections.abc import Callable
from pathlib import Path

import psycopg

from ops.errors import first_line
from ops.native import postgres
from ops.system import System
from ops.versions.archives import DamagedError, read_json
from ops.versions.state import list_archives

REFERENCE = "reference.json"
WRITE = """
INSERT INTO model_reference SELECT %(version)s, r.* FROM reference_shares(%(reference)s::jsonb) AS r
ON CONFLICT DO NOTHING
"""


def write_references(system: System, say: Callable[[str], None] = print) -> None:
    """Write to the database the missing references of the model store's archives; `say` receives each failure.

    Archives from before release 1.4 have no reference, so these versions have no drift values.
    """
    try:
        with postgres.connect(system) as connection:
            known = {v for (v,) in connection.execute("SELECT DISTINCT model_version FROM model_reference")}
            for version, archive in list_archives(system.model_store).items():
                if version not in known:
                    _write(connection, version, archive, say)
    except (OSError, psycopg.Error):
        say("Database unavailable: references for drift are written at the next start or swap.")


def _write(connection: psycopg.Connection, version: str, archive: Path, say: Callable[[str], None]) -> None:
    try:
        reference = read_json(archive, REFERENCE)
    except DamagedError:  # also without a reference
        return
    try:
        with connection.transaction():
            connection.execute(WRITE, {"version": version, "reference": json.dumps(reference)})
    except psycopg.DataError as error:
        say(f"{REFERENCE} of {archive} cannot be used, so {version} has no drift values: {first_line(error)}")
