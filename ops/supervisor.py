"""The supervisor: supervisord, which starts the parts, restarts what dies and keeps their output."""

import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from ops import leftovers
from ops.errors import OpsError
from ops.parts import Part
from ops.system import MARK, ROOT, System

# A part that dies at once is tried again after 1 s, then 2 s, 3 s ..., and never given up.
START_RETRIES = 2**31 - 1
STOP_TIMEOUT_S = 30
LOG_BYTES = 5_000_000
LOG_BACKUPS = 2
# Folders come from the environment: in supervisord's configuration a percent sign, a quote, a semicolon or a space in a
# path would be read as something else. Commands are relative to the checkout for that reason.
STATE = f"%(ENV_{MARK})s"
LOGS = "MNIST_LOGS"


def write_configuration(system: System, parts: Iterable[Part]) -> None:
    """Render supervisord's configuration. It holds no secret: the parts read theirs from files."""
    sections = [
        f"""[supervisord]
pidfile={STATE}/{system.run.relative_to(system.state)}/supervisord.pid
logfile={STATE}/{system.logs.relative_to(system.state)}/supervisor.log
logfile_maxbytes={LOG_BYTES}
logfile_backups={LOG_BACKUPS}

[unix_http_server]
file={_socket(system)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    sections += [
        f"""[program:{part.name}]
command={system.python("ops").relative_to(ROOT)} -m ops.parts {part.name}
autostart={str(part.autostart).lower()}
autorestart=true
startretries={START_RETRIES}
stopsignal={part.stop_signal}
stopwaitsecs={STOP_TIMEOUT_S}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=%(ENV_{LOGS})s/{part.name}.log
stdout_logfile_maxbytes={LOG_BYTES}
stdout_logfile_backups={LOG_BACKUPS}
"""
        for part in parts
    ]
    _configuration(system).write_text("\n".join(sections), encoding="utf-8")


def start(system: System, environment: dict[str, str]) -> None:
    """Start supervisord in the background, and by it every part."""
    done = subprocess.run(
        [Path(sys.executable).with_name("supervisord"), "--configuration", _configuration(system)],
        cwd=ROOT,
        # What it expands in the names of logs, it expands once more.
        env={**environment, **leftovers.marks(system), LOGS: str(system.logs).replace("%", "%%")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise OpsError(f"The supervisor did not start:\n{done.stdout.strip()}")


def processes(system: System) -> dict[str, dict[str, Any]] | None:
    """What supervisord says of each part by name (statename, pid, start, now); None when it does not run."""
    try:
        with remote(system) as interface:
            return {info["name"]: info for info in interface.getAllProcessInfo()}
    except (OSError, xmlrpc.client.Error):
        return None


def start_part(system: System, name: str) -> None:
    """Start a part that the supervisor did not start by itself; one that runs is left alone. Raises OpsError."""
    try:
        with remote(system) as interface:
            interface.startProcess(name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != Faults.ALREADY_STARTED:
            raise OpsError(f"{name} did not start: {fault.faultString}") from None


def shut_down(system: System) -> bool:
    """Ask supervisord to stop every part and itself; False when it does not run."""
    try:
        with remote(system) as interface:
            return bool(interface.shutdown())
    except (OSError, xmlrpc.client.Error):
        return False


@contextmanager
def remote(system: System) -> Iterator[Any]:
    """supervisord's own interface; a call raises OSError when it does not run."""
    transport = SupervisorTransport(None, None, f"unix://{_socket(system)}")
    try:
        yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
    finally:
        transport.close()


def _configuration(system: System) -> Path:
    return system.run / "supervisord.conf"


def _socket(system: System) -> Path:
    return system.sockets / "supervisor.sock"
