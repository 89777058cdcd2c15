"""What `make` runs:  python -m ops COMMAND [VALUE ...]"""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from dotenv import load_dotenv

from json_logs import log_as_json
from ops import lock
from ops.data.backup import backup, backup_as_is
from ops.data.labels import write_labels
from ops.data.prune import days, prune
from ops.data.restore import check, restore
from ops.data.rotate import secrets, set_password_from_stdin
from ops.environment import remove_secrets
from ops.errors import OpsError, run_cli
from ops.native import postgres
from ops.native.down import down
from ops.native.status import follow_logs, status
from ops.native.up import up
from ops.system import ROOT, System
from ops.versions.models import models
from ops.versions.references import write_references
from ops.versions.retrain import next_version, retrain
from ops.versions.store import open_store
from ops.versions.swap import canary, promote, rollback, swap
from settings import OPERATOR_PASSWORD, Setting

log = logging.getLogger("ops.migrations")


@dataclass(frozen=True)
class Command:
    """A command of `make`. `run` gets the system and `values` texts; if it returns False, the exit status is 1.

    `secret` is passed to `run` as the last argument. Processes that the command starts inherit no secret.
    """

    run: Callable[..., bool | None]
    values: int = 0
    secret: Setting[str] | None = None


def _alone(change: Callable[..., None]) -> Callable[..., None]:
    """Two `make up` at once would start everything twice."""

    def run(system: System, *values: str) -> None:
        refusal = "Another 'make up' or 'make down' is running in this checkout; wait until it ends."
        with lock.hold(system.state / "ops.lock", refusal):
            change(system, *values)

    return run


def _migrate(system: System) -> bool:
    """Prepare the database at each start of the container `migrations`. It logs JSON; commands print text."""
    log_as_json("migrations")
    try:
        postgres.migrate(system)
        write_references(system, log.warning)
    except OpsError as error:
        log.error("%s", error)  # noqa: TRY400
        return False
    log.info("the database has version %s", postgres.schema_version(system))
    return True


COMMANDS = {
    "up": Command(_alone(up), secret=OPERATOR_PASSWORD),
    "down": Command(_alone(down)),
    "status": Command(status),
    "logs": Command(follow_logs),
    "models": Command(models),
    "swap": Command(swap, 1),
    "rollback": Command(rollback),
    "canary": Command(canary, 2),
    "promote": Command(promote),
    "retrain": Command(retrain, 2),
    "prune": Command(lambda system, text: prune(system, days(text)), 1),
    "secrets": Command(secrets, 1),
    "backup": Command(backup, 1),
    "restore": Command(restore, 1),
    "write-labels": Command(lambda system, *days: print(write_labels(system, *days)), 2),
    # Of containers and of ops/containers.sh.
    "backup-as-is": Command(backup_as_is, 1),
    "check-backup": Command(check, 1),
    "database": Command(postgres.exec_server),
    "migrate": Command(_migrate),
    "schema-version": Command(lambda system: print(postgres.schema_version(system))),
    "migrate-down-to": Command(postgres.migrate_down_to, 1),
    "rotate": Command(set_password_from_stdin, 1),
    "default-version": Command(lambda system: print(open_store(system).read().default)),
    "next-version": Command(lambda system: print(next_version(system))),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="ops", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    values = (
        "swap VERSION, canary VERSION PERCENT, retrain LABELS CHAMPION, prune DAYS, secrets NAME, backup FILE, "
        "restore FILE, write-labels SINCE UNTIL"
    )
    parser.add_argument("values", nargs="*", help=values)
    arguments = parser.parse_args()
    command = COMMANDS[arguments.command]
    if len(arguments.values) > command.values:
        parser.error(f"{arguments.command} takes {command.values} values, not {len(arguments.values)}")
    given = [*arguments.values, *[""] * (command.values - len(arguments.values))]
    load_dotenv(ROOT / ".env")  # the environment has priority
    if command.secret:
        given.append(command.secret.read())
    remove_secrets(os.environ)
    system = System.from_settings() if arguments.command == "up" else System.running_or_configured()
    return run_cli(lambda: command.run(system, *given))


if __name__ == "__main__":
    sys.exit(main())
