"""Errors of the commands of `ops`: one line with the problem and the remedy."""

import os
import signal
import sys
from collections.abc import Callable


class OpsError(Exception):
    """The command prints one line without a traceback and exits with status 1."""


def first_line(error: Exception) -> str:
    """The first line of an error's message; PostgreSQL's have several."""
    return str(error).strip().partition("\n")[0]


class UsageError(OpsError):
    """A `make` variable is missing or invalid; the command exits with status 2."""


def run_cli(command: Callable[[], bool | None]) -> int:
    """Run a command, print its error without a traceback, and return the exit status.

    If the reader has closed the pipe (`make status | head`), the status is a shell's for SIGPIPE.
    """
    try:
        status = 1 if command() is False else 0
        sys.stdout.flush()  # a flush at the interpreter's exit would print a traceback
    except OpsError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        hint = "Interrupted. Run the same command again to continue, or 'make down' to stop all parts."
        print(hint, file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        print(f"{error.filename} cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    return status
