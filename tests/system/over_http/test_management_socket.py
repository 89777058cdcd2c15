"""TorchServe's management API in a native system: only a socket of this user offers it, and no port."""

import stat

import psutil
import pytest
import urllib3

from ops.native import leftovers
from ops.versions.management import Management
from ops.versions.state import RELEASED
from tests.system.running import RunningSystem

# Requests that a web page in a browser on this machine can send to a loopback port, for example by DNS rebinding.
REQUESTS = (
    "POST /models?url=mnist-{}.mar&model_name=other",
    "POST /workflows?url=any.war",
    "PUT /models/mnist/{}?min_worker=0&max_worker=0",
    "PUT /models/mnist/{}/set-default",
    "DELETE /models/mnist/{}",
    "GET /models",
    "GET /models/mnist",
    "GET /models/mnist/all",
    "GET /workflows",
)


def test_only_this_user_can_open_the_management_socket(system: RunningSystem):
    socket = system.system.management_socket
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    for folder in (socket.parent, system.system.sockets):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Management(system.system.management_address).default() == RELEASED


@pytest.mark.parametrize("request_", REQUESTS)
def test_no_port_of_the_system_answers_a_management_request(system: RunningSystem, request_):
    management = Management(system.system.management_address)
    before = management.request("GET", "/models"), management.list_versions()
    method, path = request_.format(RELEASED).split()
    answers = [_answer(port, method, path) for port in _ports(system)]
    assert answers.count(404) >= 4  # of the gateway, and of TorchServe's inference and metrics
    # The page answers every path with its HTML. gRPC and PostgreSQL do not speak HTTP.
    assert set(answers) <= {404, 405, "HTML", "no HTTP"}
    assert (management.request("GET", "/models"), management.list_versions()) == before


def _ports(system: RunningSystem) -> set[int]:
    """The ports on which processes of the system listen."""
    return {
        connection.laddr.port
        for process in leftovers.find(system.system)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def _answer(port: int, method: str, path: str) -> int | str:
    try:
        response = urllib3.request(method, f"http://127.0.0.1:{port}{path}", retries=False, timeout=10)
    except urllib3.exceptions.HTTPError:
        return "no HTTP"
    return "HTML" if response.data.lstrip().startswith(b"<!") else response.status
