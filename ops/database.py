"""The database's container: creates the data directory where there is none, then becomes the server.

python -m ops.database
"""

import os
import sys

from ops import postgres
from ops.errors import run_cli
from ops.system import System


def exec_server() -> None:
    """Never returns. Raises OpsError where the data directory cannot be made."""
    system = System.from_settings()
    postgres.initialise(system)
    command = postgres.server_command(system)
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(run_cli(exec_server))
