"""The native gateway's configuration: host names, addresses, and the effect of a swap."""

import socket
import stat

import pytest

from ops.native import gateway
from ops.native.ports import bind_error, listening_hosts
from ops.versions.reload import reload
from ops.versions.state import Versions


@pytest.mark.parametrize(
    ("gateway_host", "public_hosts", "names"),
    [
        ("127.0.0.1", "", set()),
        ("0.0.0.0", "10.0.0.1:8000 [::1]:8443", set()),  # noqa: S104
        ("::1", "Digits.example.com digits.example.com:8443", {"digits.example.com"}),
        ("fe80::abcd", "a:80", {"a"}),
        ("gateway.lan", "", {"gateway.lan"}),
    ],
)
def test_known_names_exclude_addresses(gateway_host, public_hosts, names):
    ours = {"localhost", socket.gethostname().lower()}
    assert set(gateway.known_names(gateway_host, public_hosts)) == names | ours


def test_the_gateway_listens_on_ipv4_and_ipv6(monkeypatch):
    monkeypatch.setattr("ops.native.ports.bind_error", lambda *_: None)
    assert listening_hosts("127.0.0.1") == ["127.0.0.1", "::1"]
    assert listening_hosts("0.0.0.0") == ["0.0.0.0", "::"]  # noqa: S104
    assert listening_hosts("192.0.2.7") == ["192.0.2.7"]
    assert listening_hosts("::1") == ["::1"]
    directives = "listen 127.0.0.1:8000;\nlisten [::1]:8000;\n"
    assert gateway.listen_directives(["127.0.0.1", "::1"], 8000) == directives


def test_without_ipv6_the_gateway_listens_on_ipv4(monkeypatch):
    monkeypatch.setattr("ops.native.ports.bind_error", lambda *_: "Address family not supported by protocol")
    assert listening_hosts("127.0.0.1") == ["127.0.0.1"]
    assert listening_hosts("0.0.0.0") == ["0.0.0.0"]  # noqa: S104


def test_both_wildcard_addresses_can_be_bound():
    if bind_error("::1", 0):
        pytest.skip("this machine has no IPv6")
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104
        taken.listen()
        assert bind_error("::", taken.getsockname()[1]) is None


def test_a_swap_keeps_the_settings_of_make_up(system, monkeypatch):
    monkeypatch.setenv("PUBLIC_HOSTS", "digits.example.com")
    gateway.write_configuration(system)
    monkeypatch.delenv("PUBLIC_HOSTS")
    Versions("1.1", split={"1.2": 0.1}).write(system.versions)
    reload(system)  # nginx does not run and will read the new file
    folder = system.gateway_files
    assert "digits.example.com" in (folder / "nginx.conf").read_text(encoding="utf-8")
    assert 'mnist/1.2"' in (folder / "split.conf").read_text(encoding="utf-8")


def test_the_page_socket_is_in_the_private_folder(system):
    assert system.page_socket.parent == system.sockets
    assert stat.S_IMODE(system.sockets.stat().st_mode) == 0o700


def test_a_native_gateway_has_one_replica_of_each_part(system):
    gateway.write_configuration(system)
    folder = system.gateway_files
    torchserve = f'server "127.0.0.1:{system.inference_port}" max_fails=0;\n'
    assert (folder / "torchserve.conf").read_text(encoding="utf-8") == torchserve
    assert (folder / "page.conf").read_text(
        encoding="utf-8"
    ) == f'server "unix:{system.page_socket}" max_fails=0;\n'
    text = (folder / "nginx.conf").read_text(encoding="utf-8")
    assert "proxy_next_upstream error timeout;" in text  # nginx's default: no POST is retried
    assert 'map "one $route' in text  # no cookie
