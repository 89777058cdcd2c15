"""What ends a command of `ops`: one line that says what is wrong and what to do."""

import os
import signal
import sys
from collections.abc import Callable


class OpsError(Exception):
    """Shown to the person as one line, without a traceback; the command exits with status 1."""


class UsageError(OpsError):
    """A variable of `make` that is missing or wrong; the command exits with status 2."""


def run_cli(command: Callable[[], bool | None]) -> int:
    """Run a command, print its error in place of a traceback, and give back the exit status.

    That of a command whose reader has gone, as in `make status | head`, is a shell's for SIGPIPE.
    """
    try:
        status = 1 if command() is False else 0
        sys.stdout.flush()  # here, and not when the interpreter ends, which would print a traceback
    except OpsError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # for what is printed when the interpreter ends
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        print(f"{error.filename} cannot be used: {error.strerror}", file=sys.stderr)
        return 1
    return status
