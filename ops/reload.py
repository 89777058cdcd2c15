"""Let the running gateway take up who answers, as the state file has it now."""

import subprocess
import time
import xmlrpc.client

import psutil

from ops import gateway, supervisor
from ops.errors import OpsError
from ops.system import System

TAKE_UP_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.02


def reload(system: System) -> None:
    """Write the gateway's configuration anew and have nginx take it up, losing no request.

    On return every new connection is answered by it. Raises OpsError where nginx refuses it, and then all is as before.
    """
    split = gateway.split_configuration(system)
    kept = split.read_text(encoding="utf-8")
    gateway.write_configuration(system)
    done = subprocess.run(
        [*gateway.command(system), "-t"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        split.write_text(kept, encoding="utf-8")
        raise OpsError(f"The gateway does not take its new configuration: {done.stdout.strip()}")
    try:
        with supervisor.remote(system) as interface:
            master = psutil.Process(interface.getProcessInfo("gateway")["pid"])
            workers = master.children()
            interface.signalProcess("gateway", "HUP")
    except (OSError, xmlrpc.client.Error, psutil.Error):
        return  # it is just being started, and will read the new one
    deadline = time.monotonic() + TAKE_UP_TIMEOUT_S
    while any(map(_accepts, workers)) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)


def _accepts(worker: psutil.Process) -> bool:
    """Whether a worker of nginx still takes new connections: it says so itself when it does not."""
    try:
        return "shutting down" not in " ".join(worker.cmdline())
    except psutil.Error:
        return False
