"""What ends a command of `ops`: one line that says what is wrong and what to do."""


class OpsError(Exception):
    """Shown to the person as one line, without a traceback; the command exits with status 1."""
