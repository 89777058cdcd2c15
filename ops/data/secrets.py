"""The passwords of a native system: one file each, with mode 0600."""

import re
import secrets
from pathlib import Path

from ops.errors import OpsError
from ops.files import write_whole
from ops.system import System

OWNER = "database_owner_password"
NAMES = (OWNER, "database_page_password", "database_exporter_password")
PASSWORD_BYTES = 24
# An incompletely written file contains nothing or zeros, which do not match.
PASSWORD = re.compile(r"[!-~]+")


def ensure(system: System) -> list[Path]:
    """Write each missing or damaged secret and return the new files. Existing secrets stay."""
    return [path for name in NAMES if write_once(path := system.secrets / name)]


def is_lost(system: System, name: str) -> bool:
    """Whether the file of a secret is missing, empty or damaged."""
    return _read(system.secrets / name) is None


def read(system: System, name: str) -> str:
    """The secret `name`, one of NAMES. Raises OpsError if its file contains no password."""
    password = _read(system.secrets / name)
    if password is None:
        raise OpsError(
            f"{system.secrets / name} holds no password: it is missing, empty or damaged. "
            "To get a new one run: make down, then make up"
        )
    return password


def create_next(system: System, name: str) -> str:
    """Write a new value beside the active secret and return it. Repeated calls return the same value until `adopt`."""
    path = _next_path(system, name)
    write_once(path)
    return path.read_text(encoding="ascii").strip()


def adopt(system: System, name: str) -> None:
    """Replace the active secret by its new value."""
    _next_path(system, name).rename(system.secrets / name)


def write_operator_password(system: System, password: str) -> None:
    """Write the operator's password for the page, or delete the file if the password is empty."""
    system.operator_password.unlink(missing_ok=True)
    if password:
        write_whole(system.operator_password, password + "\n", mode=0o600)


def write_once(path: Path) -> bool:
    """Write a random secret if the file contains none; return whether it was written."""
    if _read(path) is not None:
        return False
    write_whole(path, secrets.token_urlsafe(PASSWORD_BYTES) + "\n", mode=0o600)
    return True


def _next_path(system: System, name: str) -> Path:
    return system.secrets / f"{name}.new"


def _read(path: Path) -> str | None:
    """The password in a file; None if it contains none. Raises OpsError if it cannot be read, for example a folder."""
    try:
        password = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise OpsError(
            f"{path} cannot be read: {error.strerror}. It should be a file with a password, readable by its owner."
        ) from None
    return password if PASSWORD.fullmatch(password) else None
