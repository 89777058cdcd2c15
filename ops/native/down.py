"""Stop every process of the system and keep its data."""

import shutil

from ops.errors import OpsError
from ops.native import leftovers, supervisor
from ops.system import System
from ops.wait import wait_until

STOP_TIMEOUT_S = 90.0


def down(system: System) -> None:
    """Stop parts, supervisor and leftover processes. Raises OpsError if a process does not stop."""
    if supervisor.shut_down(system):
        print("stopping ...", flush=True)
        wait_until(lambda: supervisor.processes(system) is None, STOP_TIMEOUT_S)
    leftovers.terminate(leftovers.find(system))
    if remaining := leftovers.find(system):
        raise OpsError(
            f"Processes {', '.join(str(p.pid) for p in remaining)} did not stop. Kill them, then run 'make down' again."
        )
    shutil.rmtree(system.sockets, ignore_errors=True)
    system.operator_password.unlink(missing_ok=True)
    system.gateway_monitoring.unlink(missing_ok=True)  # contains the password
    print(f"Stopped. The drawings stay in {system.state.name}/.")
