"""The parts of a native system: start command, environment and health check of each.

    python -m ops.native.parts NAME

replaces the process by that part; the supervisor runs this command.
"""

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests

from ops import direct
from ops.data import backup
from ops.native import gateway, leftovers, monitoring, postgres
from ops.sockets import SocketConnection
from ops.system import ROOT, System

PROBE_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Part:
    """`command` and `environment` start the part; `is_healthy` checks it.

    Without `autostart`, `make up` starts the part when the parts before it are ready.
    """

    name: str
    command: Callable[[System], list[str]]
    is_healthy: Callable[[System], bool]
    environment: Callable[[System], dict[str, str]] = lambda system: {}
    stop_signal: str = "TERM"
    autostart: bool = True


def _page_environment(system: System) -> dict[str, str]:
    environment = {"PYTHONPATH": str(ROOT), "MODEL_URL": system.inner_url, **_deliverer_environment(system)}
    if system.operator_password.exists():
        environment["OPERATOR_PASSWORD_FILE"] = str(system.operator_password)
    return environment


def _deliverer_command(system: System) -> list[str]:
    return [str(system.python("page")), "-m", "ui.deliverer"]


def _deliverer_environment(system: System) -> dict[str, str]:
    return {"OUTBOX_PATH": str(system.outbox), **database_environment(system, postgres.PAGE)}


def database_environment(system: System, role: str) -> dict[str, str]:
    """The environment variables with a role's database URL and the path of its password file."""
    return {
        "DATABASE_URL": postgres.role_url(system, role),
        "DATABASE_PASSWORD_FILE": str(system.secrets / postgres.PASSWORDS[role]),
    }


def _exporter_command(system: System) -> list[str]:
    options = {
        "listen": f"127.0.0.1:{system.exporter_port}",
        "files": system.metrics_files,
        "gateway": system.inner_url,
        "page": f"unix:{system.page_socket}",
        "torchserve": f"http://127.0.0.1:{system.metrics_port}",
        "outbox": system.outbox,
        "state": system.state,
        "served": system.served,
        "backups": ROOT / backup.FOLDER,
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    return [str(system.python("monitoring")), "-m", "monitoring.exporter", *given]


def _exporter_environment(system: System) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), **database_environment(system, postgres.EXPORTER)}


def _is_outbox_delivered(system: System) -> bool:
    """Whether the deliverer's check finds no old drawing in the outbox."""
    environment = {**os.environ, **_deliverer_environment(system)}
    command = [*_deliverer_command(system), "--check"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def _is_page_healthy(system: System) -> bool:
    connection = SocketConnection(system.page_socket, PROBE_TIMEOUT_S)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/_stcore/health")
        return connection.getresponse().status == HTTPStatus.OK
    return False


def _is_ok(url: str) -> bool:
    with direct.session() as session, contextlib.suppress(requests.RequestException):
        return session.get(url, timeout=PROBE_TIMEOUT_S).ok
    return False


PARTS = (
    # INT: without waiting for clients
    Part("postgres", postgres.server_command, postgres.is_ready, stop_signal="INT"),
    Part(
        "torchserve",
        lambda system: [str(system.python("ops")), "-m", "ops.versions.controller"],
        lambda system: _is_ok(f"{system.inner_url}/ping"),
    ),
    Part(
        "page",
        lambda system: [str(system.python("page")), "-m", "ui.server", str(system.page_socket)],
        _is_page_healthy,
        _page_environment,
    ),
    Part("deliverer", _deliverer_command, _is_outbox_delivered, _deliverer_environment),
    Part(
        "gateway",
        gateway.command,
        lambda system: _is_ok(f"http://127.0.0.1:{system.gateway_port}/openapi.json"),
        lambda system: {"TZ": "UTC"},  # nginx's logs are in the time zone of its environment
    ),
    Part(
        "exporter",
        _exporter_command,
        lambda system: _is_ok(f"http://127.0.0.1:{system.exporter_port}/metrics"),
        _exporter_environment,
    ),
)

MONITORING = (
    Part(
        "alertmanager",
        monitoring.alertmanager_command,
        lambda system: _is_ok(f"{monitoring.url(system, 'alertmanager')}/-/ready"),
    ),
    Part(
        "prometheus",
        monitoring.prometheus_command,
        lambda system: _is_ok(f"{monitoring.url(system, 'prometheus')}/-/ready"),
        autostart=False,  # started last, so that it reports no part that is still starting
    ),
)


def list_parts(system: System) -> tuple[Part, ...]:
    """The parts of this system, with monitoring if it is on."""
    return PARTS + (MONITORING if system.monitoring else ())


def exec_part(part: Part, system: System) -> None:
    """Terminate leftover processes of the part, which may hold its port, then replace this process by it."""
    leftovers.terminate(leftovers.find(system, part.name))
    environment = {**os.environ, **leftovers.marks(system, part.name), **part.environment(system)}
    command = part.command(system)
    os.chdir(ROOT)
    os.execvpe(command[0], command, environment)


def main() -> None:
    name = Path(sys.argv[-1]).name
    exec_part(next(part for part in PARTS + MONITORING if part.name == name), System.from_settings())


if __name__ == "__main__":
    main()
