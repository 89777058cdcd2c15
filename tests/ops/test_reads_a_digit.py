"""The health check of TorchServe's container, and the address of its request."""

import socket
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from fixtures.http_server import Handler, serving
from ops import reads_a_digit
from ops.own_address import own_address
from ops.versions.state import Versions

ELSEWHERE = "192.0.2.7"


@pytest.fixture
def digits(system, monkeypatch) -> Iterator[dict[str, int]]:
    """The digit that each version answers over HTTP. Default 1.1 and canary 1.2 are served."""
    answers = {"1.0": 1, "1.1": 7, "1.2": 7}

    class Model(Handler):
        def do_POST(self):
            self.read_body()
            version = self.path.removeprefix("/predictions/mnist/")
            if version in answers:
                self.answer_json(200, {"digit": answers[version]})
            else:
                self.answer_json(404, {"code": 404})

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Model)) as server:
        monkeypatch.setattr(reads_a_digit, "HOST", "127.0.0.1")
        monkeypatch.setattr(reads_a_digit, "PORT", server.server_port)
        monkeypatch.setenv("STATE_DIR", str(system.state))
        Versions("1.1", previous="1.0", split={"1.2": 0.1}).write(system.served)
        yield answers


def test_a_container_whose_versions_read_a_digit_is_healthy(digits):
    assert reads_a_digit.main() == 0  # the previous version has no traffic


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_container_is_unhealthy_if_one_version_with_traffic_reads_wrongly(digits, capsys, version):
    digits[version] = 1
    assert reads_a_digit.main() == 1
    assert capsys.readouterr().out == f"version {version} reads a known 7 as 1\n"


def test_a_container_is_unhealthy_without_its_canary_or_its_state(digits, system, capsys):
    del digits["1.2"]
    assert reads_a_digit.main() == 1
    system.served.unlink()
    assert reads_a_digit.main() == 1
    assert capsys.readouterr().out.count("model server unavailable: ") == 2


def test_a_replica_checks_its_own_address_of_a_shared_name(monkeypatch):
    names = {"shared": [ELSEWHERE, "127.0.0.1"], "elsewhere": [ELSEWHERE]}

    def look_up(host):
        if host not in names:
            raise socket.gaierror
        return host, [], names[host]

    monkeypatch.setattr("ops.own_address.socket.gethostbyname_ex", look_up)
    assert own_address("shared") == "127.0.0.1"
    assert own_address("elsewhere") is None
    assert own_address("unknown") is None
