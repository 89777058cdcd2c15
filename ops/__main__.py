"""What `make` runs:  python -m ops up | down | status | logs | prune DAYS"""

import argparse
import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dotenv import load_dotenv

from ops.down import down
from ops.errors import OpsError, UsageError
from ops.prune import days, prune
from ops.status import follow_logs, status
from ops.system import ROOT, System
from ops.up import up


def main() -> int:
    parser = argparse.ArgumentParser(prog="ops", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "logs", "prune"])
    parser.add_argument("days", nargs="?", default="", help="prune: how many days of drawings stay")
    arguments = parser.parse_args()
    command = arguments.command
    load_dotenv(ROOT / ".env")  # what the environment sets already, wins
    try:
        if command == "up":
            with _only_one(System.from_settings()):
                up(System.from_settings())
        elif command == "down":
            with _only_one(System.running_or_configured()):
                down(System.running_or_configured())
        elif command == "status":
            return 0 if status(System.running_or_configured()) else 1
        elif command == "prune":
            prune(System.running_or_configured(), days(arguments.days))
        else:
            follow_logs(System.running_or_configured())
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "Interrupted; the same command goes on from here, and 'make down' stops what runs.",
            file=sys.stderr,
        )
        return 130
    return 0


@contextmanager
def _only_one(system: System) -> Iterator[None]:
    """Hold the system's lock: two `make up` at once would start everything twice."""
    system.state.mkdir(parents=True, exist_ok=True)
    with (system.state / "ops.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OpsError(
                "Another 'make up' or 'make down' is at work on this checkout; wait for it."
            ) from None
        yield


if __name__ == "__main__":
    sys.exit(main())
