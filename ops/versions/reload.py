"""Apply the traffic split of the state file to the running gateway."""

import contextlib
import socket
import xmlrpc.client
from collections import deque
from urllib.parse import urlsplit

import psutil
import requests

from ops import direct
from ops.errors import OpsError
from ops.native import gateway, supervisor
from ops.programs import run
from ops.system import System
from ops.versions import split
from ops.versions.store import open_store
from ops.wait import wait_until

RELOAD_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.02
# In containers the controller writes the split, the gateway polls it twice a second, and an old nginx worker may
# answer for a moment.
FOLLOW_TIMEOUT_S = 15.0
ANSWERS_IN_A_ROW = 3
REQUEST_TIMEOUT_S = 2.0
SPLIT_HOST = {"Host": "split.in.force"}


def reload(system: System) -> None:
    """Write the split and reload nginx without losing a request; on return, new connections use it.

    Raises OpsError if nginx rejects the configuration; the old one then stays active.
    """
    if system.in_containers:
        _wait_for_containers(system)
        return
    before = system.gateway_split.read_text(encoding="utf-8")
    gateway.write_split(system)
    accepted, output = run(*gateway.command(system), "-t")
    if not accepted:
        system.gateway_split.write_text(before, encoding="utf-8")
        raise OpsError(f"The gateway rejected its new configuration: {output}")
    try:
        with supervisor.remote(system) as interface:
            master = psutil.Process(interface.getProcessInfo("gateway")["pid"])
            workers = master.children()
            interface.signalProcess("gateway", "HUP")
    except (OSError, xmlrpc.client.Error, psutil.Error):
        return  # nginx is starting and reads the new file
    wait_until(lambda: not any(map(_accepts, workers)), RELOAD_TIMEOUT_S, POLL_INTERVAL_S)


def _wait_for_containers(system: System) -> None:
    """Wait until the container of each gateway reports the split that it polls (ops/versions/split.py)."""
    wanted = split.split_label(open_store(system).read())
    inner = urlsplit(system.inner_url)
    with contextlib.suppress(OSError):  # no gateway runs; it will read the new file
        for address in socket.gethostbyname_ex(str(inner.hostname))[2]:
            _wait_for_gateway(f"http://{address}:{inner.port}", wanted)


def _wait_for_gateway(url: str, wanted: str) -> None:
    last: deque[str] = deque(maxlen=ANSWERS_IN_A_ROW)

    def is_applied() -> bool:
        # A new connection each time: an open one stays with the old worker.
        with direct.session() as session:
            last.append(session.get(url, headers=SPLIT_HOST, timeout=REQUEST_TIMEOUT_S).text)
        return list(last) == [wanted] * ANSWERS_IN_A_ROW

    with contextlib.suppress(requests.RequestException):  # nginx is starting and reads the new file
        if not wait_until(is_applied, FOLLOW_TIMEOUT_S, POLL_INTERVAL_S):
            raise OpsError(
                f"The gateway did not apply the split '{wanted}' within {FOLLOW_TIMEOUT_S:.0f} s; it reports "
                f"'{last[-1][:100]}'. It applies the split when TorchServe's container runs. See: make status"
            )


def _accepts(worker: psutil.Process) -> bool:
    """Whether an nginx worker still accepts connections; its process title says when it shuts down."""
    try:
        return "shutting down" not in " ".join(worker.cmdline())
    except psutil.Error:
        return False
