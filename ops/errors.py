"""What ends a command of `ops`: one line that says what is wrong and what to do."""

import sys
from collections.abc import Callable


class OpsError(Exception):
    """Shown to the person as one line, without a traceback; the command exits with status 1."""


class UsageError(OpsError):
    """A variable of `make` that is missing or wrong; the command exits with status 2."""


def told(command: Callable[[], bool | None]) -> int:
    """Run a command, print its error in place of a traceback, and give back the exit status."""
    try:
        return 1 if command() is False else 0
    except OpsError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
