import dataclasses
import stat

from ops.system import System, ports


def test_every_port_follows_the_public_one(system):
    numbers = [number for _, number in ports(system)]
    assert numbers == list(range(system.gateway_port, system.gateway_port + 9))


def test_the_system_as_it_was_started_is_found_again(system, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(system.state))
    monkeypatch.setenv("GATEWAY_PORT", str(system.gateway_port + 1000))
    assert System.running_or_configured().gateway_port == system.gateway_port + 1000
    system.record()
    assert System.running_or_configured() == system


def test_two_systems_share_no_socket_folder(system):
    other = dataclasses.replace(system, state=system.state.with_name("other"))
    assert other.sockets != system.sockets


def test_socket_paths_stay_short_however_deep_the_checkout_lies(system):
    deep = dataclasses.replace(system, state=system.state / ("deep/" * 100))
    assert len(str(deep.sockets / "torchserve" / ".ts.sock.9000")) < 107


def test_secrets_and_sockets_are_closed_to_others(system):
    for folder in (system.secrets, system.sockets):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
