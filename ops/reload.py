"""Let the running gateway take up who answers, as the state file has it now."""

import subprocess
import time
import xmlrpc.client

import psutil
import requests

from ops import direct, gateway, split, supervisor
from ops.errors import OpsError
from ops.system import System
from ops.versions import Versions

TAKE_UP_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.02
# In containers the keeper writes and the gateway looks twice a second, and a worker of before answers for an instant.
FOLLOW_TIMEOUT_S = 15.0
ANSWERS_IN_A_ROW = 3
REQUEST_TIMEOUT_S = 2.0


def reload(system: System) -> None:
    """Write who answers anew and have nginx take it up, losing no request.

    On return every new connection is answered by it. Raises OpsError where nginx refuses it, and then all is as before.
    """
    if system.in_containers:
        _wait_for_container(system)
        return
    written = gateway.split_configuration(system)
    kept = written.read_text(encoding="utf-8")
    gateway.write_split(system)
    done = subprocess.run(
        [*gateway.command(system), "-t"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        written.write_text(kept, encoding="utf-8")
        raise OpsError(f"The gateway rejected its new configuration: {done.stdout.strip()}")
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


def _wait_for_container(system: System) -> None:
    """TorchServe's keeper tells the gateway's container (ops/split.py), which then says so itself."""
    wanted = split.split_label(Versions.read(system.versions))
    deadline = time.monotonic() + FOLLOW_TIMEOUT_S
    in_a_row = 0
    while in_a_row < ANSWERS_IN_A_ROW:
        try:
            # Each on a connection of its own: an open one goes on with the worker of before.
            with direct.session() as session:
                said = session.get(
                    system.inner_url, headers={"Host": "split.in.force"}, timeout=REQUEST_TIMEOUT_S
                ).text
        except requests.RequestException:
            return  # it is just being started, and will read the new one
        in_a_row = in_a_row + 1 if said == wanted else 0
        if time.monotonic() > deadline:
            raise OpsError(
                f"The gateway did not apply the split '{wanted}' within {FOLLOW_TIMEOUT_S:.0f} s; it reports "
                f"'{said[:100]}'. It applies the split when TorchServe's container runs. See: make status"
            )
        time.sleep(POLL_INTERVAL_S)


def _accepts(worker: psutil.Process) -> bool:
    """Whether a worker of nginx still takes new connections: it says so itself when it does not."""
    try:
        return "shutting down" not in " ".join(worker.cmdline())
    except psutil.Error:
        return False
