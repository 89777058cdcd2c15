"""Control supervisord, which starts the parts, restarts them after a crash and writes their logs."""

import contextlib
import sys
import xmlrpc.client
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport

from ops.errors import OpsError
from ops.native import leftovers
from ops.native.parts import Part
from ops.programs import run
from ops.system import MARK, ROOT, System

# supervisord retries a part that fails at its start after 1 s, 2 s, 3 s ..., without end.
START_RETRIES = 2**31 - 1
STOP_TIMEOUT_S = 30
LOG_BYTES = 5_000_000
LOG_BACKUPS = 2
# Folders come from the environment, and commands are relative to the checkout, because %, quotes, semicolons and
# spaces in a path have a meaning in supervisord's configuration.
STATE = f"%(ENV_{MARK})s"
LOGS = "MNIST_LOGS"


def write_configuration(system: System, parts: Iterable[Part]) -> None:
    """Write supervisord's configuration. It contains no secret: parts read theirs from files."""
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
command={system.python("ops").relative_to(ROOT)} -m ops.native.parts {part.name}
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
    system.supervisor_configuration.write_text("\n".join(sections), encoding="utf-8")


def start(system: System, environment: dict[str, str]) -> None:
    """Start supervisord in the background; it starts the parts. Raises OpsError."""
    supervisord = Path(sys.executable).with_name("supervisord")
    # supervisord expands log names twice.
    own = leftovers.marks(system) | {LOGS: str(system.logs).replace("%", "%%")}
    options = ["--configuration", str(system.supervisor_configuration)]
    started, output = run(supervisord, *options, environment=environment | own, folder=ROOT)
    if not started:
        raise OpsError(f"The supervisor did not start:\n{output}")


def processes(system: System) -> dict[str, dict[str, Any]] | None:
    """supervisord's state of each part by name (statename, pid, start, now); None if it does not run."""
    with contextlib.suppress(OSError, xmlrpc.client.Error), remote(system) as interface:
        return {info["name"]: info for info in interface.getAllProcessInfo()}
    return None


def start_part(system: System, name: str) -> None:
    """Start a part without autostart, unless it runs. Raises OpsError."""
    try:
        with remote(system) as interface:
            interface.startProcess(name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != Faults.ALREADY_STARTED:
            raise OpsError(f"{name} did not start: {fault.faultString}") from None


def restart(system: System, *names: str) -> None:
    """Stop each part and start it again, without waiting until it is ready."""
    with remote(system) as interface:
        for name in names:
            interface.stopProcess(name)
            interface.startProcess(name, False)


def shut_down(system: System) -> bool:
    """Tell supervisord to stop every part and itself; return False if it does not run."""
    with contextlib.suppress(OSError, xmlrpc.client.Error), remote(system) as interface:
        return bool(interface.shutdown())
    return False


@contextmanager
def remote(system: System) -> Iterator[Any]:
    """supervisord's XML-RPC interface; a call raises OSError if it does not run."""
    transport = SupervisorTransport(None, None, f"unix://{_socket(system)}")
    try:
        yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
    finally:
        transport.close()


def _socket(system: System) -> Path:
    return system.sockets / "supervisor.sock"
