"""Start the database's container: create a missing data directory, then replace this process by PostgreSQL.

python -m ops.database
"""

import os
import sys

from ops.errors import run_cli
from ops.native import postgres
from ops.system import System


def exec_server() -> None:
    """Replace this process by PostgreSQL. Raises OpsError if the data directory cannot be created."""
    system = System.from_settings()
    postgres.initialise(system)
    command = postgres.server_command(system)
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(run_cli(exec_server))
