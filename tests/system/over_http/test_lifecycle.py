"""`make up`, `make down` and `make status`, also after parts died."""

import os
import signal
import socket
import stat
from dataclasses import replace
from pathlib import Path

import psutil

from ops.data import secrets
from ops.native import leftovers, supervisor
from ops.native.ports import listening_hosts
from ops.system import ports
from tests.system.conftest import SECRETS
from tests.system.running import RunningSystem, first_port


def test_status_shows_that_every_part_answers(system: RunningSystem):
    done = system.ops("status")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    for part in ("postgres", "torchserve", "page", "deliverer", "gateway", "exporter"):
        line = next(line for line in lines if line.startswith(part))
        assert "running" in line
        assert line.endswith("yes")


def test_only_the_gateway_and_loopback_listen(system: RunningSystem):
    listening = {
        connection.laddr
        for process in leftovers.find(system.system)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    # A JVM's socket shows an IPv4 address in IPv6 notation.
    addresses = {(address.ip.removeprefix("::ffff:"), address.port) for address in listening}
    gateway = {(host, system.system.gateway_port) for host in listening_hosts("127.0.0.1")}
    assert gateway <= addresses
    # `make up` checked each of these ports. The page has none.
    assert addresses - gateway <= {("127.0.0.1", number) for _, number in ports(system.system)}


def test_a_command_with_another_tmpdir_finds_the_system(system: RunningSystem, tmp_path):
    elsewhere = replace(system, environment=system.environment | {"TMPDIR": str(tmp_path)})
    assert elsewhere.ops("status").returncode == 0


def test_up_on_a_running_system_reports_it_and_changes_nothing(system: RunningSystem):
    before = {p.pid for p in leftovers.find(system.system)}
    up = system.ops("up")
    assert up.returncode == 0, up.stderr
    assert "The system is already running" in up.stdout
    assert f":{system.system.gateway_port}" in up.stdout
    assert before <= {p.pid for p in leftovers.find(system.system)}


def test_the_error_for_a_used_port_names_the_port_and_the_remedy(system: RunningSystem, tmp_path):
    first = first_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", first + 2))
        other.listen()
        elsewhere = RunningSystem(
            system.system,
            system.environment | {"STATE_DIR": str(tmp_path / "var"), "GATEWAY_PORT": str(first)},
        )
        refused = elsewhere.ops("up")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Port {first + 2} (TorchServe, inference) cannot be used: Address")
    assert f"by process {os.getpid()}" in refused.stderr
    assert "make up GATEWAY_PORT=" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert elsewhere.ops("down").returncode == 0  # removes the folder of the sockets


def test_up_after_a_kill_of_the_supervisor_ends_orphans_and_restarts(own_system: RunningSystem, tmp_path):
    drawing_id = own_system.insert()
    os.kill(int((own_system.system.run / "supervisord.pid").read_text()), signal.SIGKILL)
    orphans = {process.pid for process in leftovers.find(own_system.system)}
    assert orphans
    # A power cut can also leave empty files, and the next start may have another TMPDIR.
    for name in secrets.NAMES:
        (own_system.system.secrets / name).write_text("")
    up = replace(own_system, environment=own_system.environment | {"TMPDIR": str(tmp_path)}).ops("up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert not orphans & {process.pid for process in leftovers.find(own_system.system)}
    assert own_system.rows("SELECT count(*) FROM predictions WHERE id = %s", drawing_id) == [(1,)]
    assert own_system.ops("status").returncode == 0


def test_no_process_has_a_secret_in_its_environment(own_system: RunningSystem):
    system = own_system.system
    passwords = [secrets.read(system, name) for name in secrets.NAMES]
    environments = {
        f"{process.pid} {process.name()}": Path(f"/proc/{process.pid}/environ").read_bytes()
        for process in leftovers.find(system)
    }
    assert {"java", "postgres", "nginx"} <= {name.split()[1] for name in environments}
    for process, environment in environments.items():
        for secret in (*SECRETS.values(), *passwords):
            assert secret.encode() not in environment, process
        for name in SECRETS:
            assert f"{name}=".encode() not in environment, process
    # Only the page has the path of the password.
    [reader] = [
        name for name, environment in environments.items() if b"OPERATOR_PASSWORD_FILE=" in environment
    ]
    assert reader.startswith(f"{(supervisor.processes(system) or {})['page']['pid']} ")
    assert system.operator_password.read_text().strip() == SECRETS["OPERATOR_PASSWORD"]
    assert stat.S_IMODE(system.operator_password.stat().st_mode) == 0o600
    assert stat.S_IMODE(system.outbox.parent.stat().st_mode) == 0o700


def test_up_continues_an_interrupted_first_start(own_system: RunningSystem):
    # `own_system` starts with the files of an interrupted first start: tests/system/conftest.py.
    assert own_system.ops("status").returncode == 0
    assert not list(own_system.system.state.rglob("*.unfinished"))
