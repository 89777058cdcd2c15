import dataclasses
import re
import stat
import tempfile
from pathlib import Path

import pytest

from ops.errors import OpsError
from ops.native.ports import PORTS_PER_SYSTEM
from ops.system import IN_CONTAINERS, LONGEST_SOCKET_PATH, System, ports


def test_every_port_follows_the_public_one(system):
    numbers = [number for _, number in ports(dataclasses.replace(system, monitoring=True))]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (system.gateway_port, system.gateway_port + PORTS_PER_SYSTEM - 1)


def test_the_native_management_api_has_no_port(system):
    assert "TorchServe, management" not in dict(ports(system))
    assert system.management_address == f"unix:{system.sockets}/torchserve/management.sock"
    in_a_container = dataclasses.replace(system, hosts=IN_CONTAINERS)
    assert in_a_container.management_address == "http://torchserve-management:8003"


@pytest.mark.parametrize("monitoring", [True, False])
def test_the_monitoring_ports_are_used_only_with_monitoring(system, monitoring):
    system = dataclasses.replace(system, monitoring=monitoring)
    assert {"Prometheus", "Alertmanager"} <= dict(ports(system)).keys() or not monitoring
    assert ("Prometheus" in dict(ports(system))) is monitoring


def test_the_record_has_the_monitoring_setting(system, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(system.state))
    dataclasses.replace(system, monitoring=True).record()
    assert System.running_or_configured().monitoring


def test_the_record_has_the_values_of_the_start(system, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(system.state))
    monkeypatch.setenv("GATEWAY_PORT", str(system.gateway_port + 1000))
    assert System.running_or_configured().gateway_port == system.gateway_port + 1000
    system.record()
    assert System.running_or_configured() == system


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\0" * 80,
        b"\xff",
        b"[]",
        b"5",
        b"{}",
        b"[" * 100_000,
        b'{"model_store": 5, "gateway_host": "127.0.0.1", "gateway_port": 8000}',
        b'{"model_store": "/m", "gateway_host": "127.0.0.1", "gateway_port": "x"}',
        b'{"model_store": "/m", "gateway_host": "127.0.0.1", "gateway_port": 1e999}',
        b'{"model_store": "/m", "gateway_host": "127.0.0.1", "gateway_port": 70000}',
    ],
)
def test_with_a_damaged_record_the_settings_are_used(system, monkeypatch, capsys, content):
    monkeypatch.setenv("STATE_DIR", str(system.state))
    monkeypatch.setenv("GATEWAY_PORT", str(system.gateway_port))
    system.record()
    system._record.write_bytes(content)
    assert System.running_or_configured() == System.from_settings()
    message = capsys.readouterr().err.splitlines()
    assert len(message) == 1
    assert message[0].startswith(f"{system._record} is damaged, so the ports")
    system.record()
    assert System.running_or_configured() == system
    assert capsys.readouterr().err == ""


def test_an_incomplete_write_keeps_the_earlier_record(system, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(system.state))
    system.record()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        dataclasses.replace(system, gateway_port=1234).record()
    assert System.running_or_configured() == system


def test_two_systems_share_no_socket_folder(system):
    other = dataclasses.replace(system, state=system.state.with_name("other"))
    assert other.sockets != system.sockets


def test_the_socket_folder_does_not_depend_on_tmpdir(system, tmp_path, monkeypatch):
    for state in (Path("/srv/mnist/var"), system.state, system.state / ("deep/" * 100)):
        one = dataclasses.replace(system, state=state).sockets
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert dataclasses.replace(system, state=state).sockets == one
    assert dataclasses.replace(system, state=Path("/srv/mnist/var")).sockets == Path(
        "/srv/mnist/var/run/sockets"
    )


@pytest.mark.parametrize("folder", ["a b", "a'b", 'a"b', "a:b", "a%b", "ä", "deep/" * 20])
def test_socket_paths_have_no_unusual_character(system, folder):
    unusual = dataclasses.replace(system, state=Path("/srv") / folder / "var")
    assert re.fullmatch(r"mnist-\d+-[0-9a-f]{8}", unusual.sockets.name)
    assert unusual.sockets.parent == Path("/tmp")  # noqa: S108


def test_a_socket_folder_of_another_user_is_rejected(system, tmp_path):
    system.sockets.rmdir()
    system.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(OpsError, match=r"belongs to somebody else\. Remove it"):
            system.make_folders()
    finally:
        system.sockets.unlink()
        system.make_folders()


@pytest.mark.parametrize("name", ["secrets", "outbox", "run", "log", "run/sockets"])
def test_a_file_at_the_path_of_a_folder_is_named(tmp_path, name):
    system = System(tmp_path, tmp_path, "127.0.0.1", 8000)
    folder = system.sockets if name == "run/sockets" else system.state / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.touch()
    try:
        with pytest.raises(
            OpsError, match=rf"The folder {folder} cannot be created: .* Remove or rename a file of"
        ):
            system.make_folders()
    finally:
        folder.unlink()
        if system.sockets.exists():
            system.sockets.rmdir()


def test_socket_paths_stay_short_in_a_deep_checkout(system):
    deep = dataclasses.replace(system, state=system.state / ("deep/" * 100))
    for name in (".ts.sock.9000", "management.sock"):
        assert len(str(deep.sockets / "torchserve" / name)) < LONGEST_SOCKET_PATH


def test_secrets_outbox_and_sockets_are_private(system):
    folders = (system.secrets, system.outbox.parent, system.sockets)
    for folder in folders:
        folder.chmod(0o755)  # the mode in an earlier version
    system.make_folders()
    for folder in folders:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
