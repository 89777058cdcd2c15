"""Create missing passwords, and rotate a password on a running system.

secrets(system, "")                          # create; `make secrets` natively
secrets(system, "database_page_password")    # rotate; the new password is active at once
"""

import sys

import psycopg

from ops.data import secrets as files
from ops.errors import OpsError, UsageError, first_line
from ops.native import postgres, supervisor
from ops.system import System

ROLES = {files.OWNER: postgres.OWNER} | {secret: role for role, secret in postgres.PASSWORDS.items()}
# The parts that read the page's database password at their start.
READERS = ("page", "deliverer")


def secrets(system: System, name: str) -> None:
    """Write missing secrets, or rotate the secret `name`. Raises OpsError."""
    if not name:
        system.make_folders()
        if files.is_lost(system, files.OWNER) and system.database.exists():
            raise OpsError(
                f"{system.secrets / files.OWNER} holds no password, and a new one would not match the database. "
                "To set a new one in both run: make down, then make up"
            )
        for path in files.ensure(system):
            print(f"wrote {path.relative_to(system.state.parent)}")
        return
    _refuse_unknown(name)
    if supervisor.processes(system) is None:
        why = "The system is not running, but the database must receive the new password"
        raise OpsError(f"{why}. Start it with: make up")
    _set_password(system, name, files.create_next(system, name))
    files.adopt(system, name)
    if ROLES[name] == postgres.PAGE:
        supervisor.restart(system, *READERS)
    print(f"{name} was replaced: {system.secrets / name}")


def set_password_from_stdin(system: System, name: str) -> None:
    """Set a role's password to the standard input; ops/containers.sh writes the file and restarts parts."""
    _refuse_unknown(name)
    _set_password(system, name, sys.stdin.read().strip())


def _refuse_unknown(name: str) -> None:
    if name not in ROLES:
        example = "for example: make secrets ROTATE=database_page_password"
        raise UsageError(f"ROTATE '{name}' is not one of {', '.join(ROLES)}, {example}")


def _set_password(system: System, name: str, password: str) -> None:
    try:
        try:
            connection = postgres.connect(system)
        except psycopg.OperationalError:
            # An interrupted rotation of the owner: the database has the new password, the file the old one.
            connection = psycopg.connect(postgres.owner_url(system), password=password, connect_timeout=5)
        with connection:
            postgres.set_password(connection, ROLES[name], password)
    except (OSError, psycopg.Error) as error:
        raise OpsError(f"{name} was not changed, because the database failed: {first_line(error)}") from None
