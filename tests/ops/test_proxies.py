"""With proxies but no no_proxy in the environment, requests to local services use no proxy."""

import os
import re
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from fixtures.http_server import Handler, serving
from ops import direct, proxies, reads_a_digit
from ops.native import parts
from ops.versions import reload, selfcheck
from ops.versions.management import Management
from ops.versions.state import Versions
from tests.system.proxy import Proxy, proxy

ROOT = Path(__file__).parent.parent.parent
# Modules that may use a library with support for the environment's proxies.
MAY_USE_A_PROXY = {
    "ops/direct.py",  # disables it
    "training/data/download.py",  # downloads data
    "ui/model_client.py",  # disables it
}


class _Service(Handler):
    def do_GET(self):
        version = self.path.rpartition("/")[2]
        body = b'{"digit": 7, "is_digit": true, "heatmap": [], "model_version": "%s"}' % version.encode()
        if self.path.startswith("/models"):
            body = b"[]"
        if self.headers["Host"] == "split.in.force":
            body = b"1.3 1"
        self.answer(200, body)

    do_POST = do_GET


@pytest.fixture
def service():
    """A service of the system that answers every request."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _Service)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def outside(monkeypatch) -> Proxy:
    with proxy() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def test_the_test_proxy_records_a_client_that_uses_it(service, outside):
    with pytest.raises(requests.ConnectionError):
        requests.get(service, timeout=5)
    assert outside.requests[0].startswith(f"GET {service}/ HTTP/1.1".encode())


def test_the_clients_of_this_project_bypass_the_proxy(service, outside, system, monkeypatch):
    with direct.session() as session:
        assert session.get(service, timeout=5).ok
    assert parts._is_ok(f"{service}/ping")
    assert Management(service).list_versions() == {}
    with pytest.raises(selfcheck.CheckError, match=r"^it reads a known 0 as a 7$"):
        selfcheck.check(service, "1.3", beside="1.2")
    monkeypatch.setattr(reload.split, "split_label", lambda versions: "1.3 1")
    in_a_container = SimpleNamespace(in_containers=True, inner_url=service, versions=system.versions)
    reload.reload(in_a_container)
    host, port = service.removeprefix("http://").split(":")
    monkeypatch.setattr(reads_a_digit, "HOST", host)
    monkeypatch.setattr(reads_a_digit, "PORT", int(port))
    monkeypatch.setenv("STATE_DIR", str(system.state))
    Versions("1.3").write(system.served)
    assert reads_a_digit.main() == 0
    assert outside.requests == []


def test_no_other_module_uses_a_client_with_proxies():
    obeys = re.compile(r"requests\.(get|post|put|delete|head|request|Session)\(|urlopen\(|httpx|aiohttp")
    found = {
        str(path.relative_to(ROOT))
        for part in ("benchmarks", "gateway", "handler", "ops", "training", "ui")
        for path in (ROOT / part).rglob("*.py")
        if obeys.search(path.read_text(encoding="utf-8"))
    }
    assert found == MAY_USE_A_PROXY


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:9000", True),
        ("http://127.1.2.3", True),
        ("http://[::1]:9000", True),
        ("http://localhost:9000", True),
        ("http://minio.localhost:9000", True),
        ("http://s3:8333", True),
        ("https://s3.example.com", False),
        ("http://192.0.2.7:9000", False),
        ("https://[2001:db8::1]", False),
    ],
)
def test_bypass_adds_only_local_servers_to_no_proxy(outside, address, local):
    proxies.bypass(address)
    assert requests.utils.should_bypass_proxies(address, no_proxy=None) is local
    named = requests.utils.get_environ_proxies(address)
    assert ("http" not in named) is local


def test_bypass_keeps_existing_no_proxy_entries(outside, monkeypatch):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("NO_PROXY", "example.com")
    proxies.bypass("http://localhost:9000")
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.com,localhost"
    monkeypatch.setenv("no_proxy", "*")
    proxies.bypass("http://localhost:9000")
    assert os.environ["no_proxy"] == "*"
