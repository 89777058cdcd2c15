"""What ends a command of `ops`: one line that says what is wrong and what to do."""


class OpsError(Exception):
    """Shown to the person as one line, without a traceback; the command exits with status 1."""


class UsageError(OpsError):
    """A variable of `make` that is missing or wrong; the command exits with status 2."""
