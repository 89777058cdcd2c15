"""The preparations and checks of `make up` before it starts a part."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from ops.errors import OpsError, UsageError
from ops.native import up
from ops.native.ports import LAST_PORT, PORTS_PER_SYSTEM, bind_error
from ops.native.up import _refuse_paths, _refuse_taken_ports, _version_to_archive, _without_missing_programs
from ops.versions.state import RELEASED, Versions, archive_name


@pytest.mark.parametrize("character", ['"', "$", "`", "\\", "*", "?", "[", ":", "\n"])
def test_an_unusable_path_is_named(system, character):
    for name, where in (("STATE_DIR", "state"), ("MODEL_STORE", "model_store")):
        with pytest.raises(OpsError, match=f"The folder of {name}, ") as raised:
            _refuse_paths(replace(system, **{where: Path(f"/srv/a{character}b")}))
        assert f"has the character {character!r} in its path" in str(raised.value)
        assert len(str(raised.value).splitlines()) == 1


def test_other_paths_are_accepted(system):
    _refuse_paths(replace(system, state=Path("/srv/a b%c'd;e{f}g#h(i)&ä")))


def test_the_released_model_is_archived_once(system):
    assert _version_to_archive(system) == RELEASED
    (system.model_store / archive_name(RELEASED)).touch()
    assert _version_to_archive(system) is None


def test_only_the_released_version_is_archived(system):
    Versions("7.3", previous=RELEASED).write(system.versions)
    with pytest.raises(
        OpsError,
        match=r"mnist-7\.3\.mar is missing, but \S+ names version 7\.3 as the default: restore the archive",
    ):
        _version_to_archive(system)
    (system.model_store / archive_name("7.3")).touch()
    assert _version_to_archive(system) is None


@pytest.mark.parametrize("port", [LAST_PORT - PORTS_PER_SYSTEM + 2, LAST_PORT])
def test_a_port_close_to_the_last_one_is_rejected(system, port):
    with pytest.raises(UsageError, match=rf"GATEWAY_PORT={port} leaves no room .* Choose 65524 or lower"):
        _refuse_taken_ports(replace(system, gateway_port=port))


def test_a_port_in_use_on_ipv6_loopback_is_named(system, monkeypatch):
    if bind_error("::1", 0):
        pytest.skip("this machine has no IPv6")
    monkeypatch.setattr(up, "PORT_RELEASE_S", 0.1)
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", system.gateway_port))
        taken.listen()
        with pytest.raises(
            OpsError, match=rf"Port {system.gateway_port} \(gateway\) cannot be used: .*in use"
        ):
            _refuse_taken_ports(system)


def test_without_prometheus_the_system_starts_with_a_hint(system, monkeypatch, capsys, tmp_path):
    wanted = replace(system, monitoring=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not _without_missing_programs(wanted).monitoring
    assert capsys.readouterr().out == (
        "MONITORING=1 needs prometheus and alertmanager on the PATH "
        "(Debian: apt-get install prometheus prometheus-alertmanager); it is left out.\n"
    )
    for name in ("prometheus", "prometheus-alertmanager"):  # Debian's name of Alertmanager
        (tmp_path / name).touch(mode=0o755)
    assert _without_missing_programs(wanted) == wanted
    assert not _without_missing_programs(system).monitoring
    assert capsys.readouterr().out == ""
