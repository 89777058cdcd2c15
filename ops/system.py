"""One system: where its files lie, where its parts listen, which environments run it.

Two native systems on one machine differ in `STATE_DIR` (each checkout has its own `var/`) and in
`GATEWAY_PORT`; everything else follows from these two. In containers a part has a name in place of loopback.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import settings
from ops.errors import OpsError
from ops.files import write_whole

ROOT = Path(__file__).resolve().parent.parent

# Marks every process of a system in its environment, so that what a killed supervisor left behind is found.
MARK = "MNIST_SYSTEM"
# Where compose puts the secrets that a container may read.
SECRETS_OF_A_CONTAINER = Path("/run/secrets")
LONGEST_SOCKET_PATH = 107  # bytes, by Linux
# For the names below the folder of the sockets, such as torchserve/management.sock.
LONGEST_SOCKET_NAME = 40
PLAIN_SHORT_PATH = re.compile(rf"[A-Za-z0-9_./-]{{1,{LONGEST_SOCKET_PATH - LONGEST_SOCKET_NAME}}}")


@dataclass(frozen=True)
class Hosts:
    """Where the parts listen. Each name leads to one network's address alone (docker-compose.yml)."""

    inner: str = "127.0.0.1"
    inference: str = "127.0.0.1"
    management: str = ""  # natively it is a socket
    metrics: str = "127.0.0.1"
    database: str = "127.0.0.1"


IN_CONTAINERS = Hosts(
    inner="gateway-inner",
    inference="torchserve-inference",
    management="torchserve-management",
    metrics="torchserve-metrics",
    database="postgres",
)
MANAGEMENT_PORT = 8003  # in containers


@dataclass(frozen=True)
class System:
    """All paths are absolute."""

    state: Path
    model_store: Path
    gateway_host: str
    gateway_port: int
    hosts: Hosts = Hosts()
    monitoring: bool = False  # whether Prometheus and Alertmanager are parts of it

    @classmethod
    def from_settings(cls) -> "System":
        """The system that the environment's settings describe."""
        return cls(
            state=(ROOT / settings.STATE_DIR.read()).resolve(),
            model_store=(ROOT / settings.MODEL_STORE.read()).resolve(),
            gateway_host=settings.GATEWAY_HOST.read(),
            gateway_port=settings.GATEWAY_PORT.read(),
            hosts=IN_CONTAINERS if settings.RUNS_IN.read() == "containers" else Hosts(),
            monitoring=settings.MONITORING.read() == 1,
        )

    @classmethod
    def running_or_configured(cls) -> "System":
        """The system as `up` last started it, else as the settings describe it.

        `make up GATEWAY_PORT=9000` is answered by a plain `make status`: the ports in force are recorded. Where that
        record is damaged, a line on stderr says so, and the settings count.
        """
        configured = cls.from_settings()
        try:
            record = json.loads(configured._record.read_text(encoding="utf-8"))
            return cls(
                state=configured.state,
                model_store=Path(record["model_store"]),
                gateway_host=str(record["gateway_host"]),
                gateway_port=settings.port(record["gateway_port"]),
                monitoring=record.get("monitoring") is True,  # one of an earlier version has none
            )
        except FileNotFoundError:
            return configured
        except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
            print(
                f"{configured._record} is damaged, so the ports of the running system are unknown. The settings are "
                f"used: GATEWAY_PORT={configured.gateway_port}. To write the file again run: make down, then make up",
                file=sys.stderr,
            )
            return configured

    def record(self) -> None:
        """Write down what `running_or_configured` reads."""
        record = {
            "model_store": str(self.model_store),
            "gateway_host": self.gateway_host,
            "gateway_port": self.gateway_port,
            "monitoring": self.monitoring,
        }
        write_whole(self._record, json.dumps(record) + "\n")

    def make_folders(self) -> None:
        """Create the folders of this system; secrets, drawings and sockets are the owner's alone. Raises OpsError."""
        for folder in (self.state, self.logs, self.run, self.metrics_files):
            _make_folder(folder, 0o777)
        for folder in (self.secrets, self.outbox.parent, self.sockets):
            _make_folder(folder, 0o700)
            if folder == self.sockets and (folder.is_symlink() or folder.stat().st_uid != os.geteuid()):
                raise OpsError(f"{folder} belongs to somebody else. Remove it, then run the command again.")
            folder.chmod(0o700)  # one of an earlier version may be open

    @property
    def _record(self) -> Path:
        return self.run / "system.json"

    # Ports: the public one is chosen, the rest follow it, so that one number moves a whole system.

    @property
    def inner_port(self) -> int:
        return self.gateway_port + 1

    @property
    def inference_port(self) -> int:
        return self.gateway_port + 2

    @property
    def metrics_port(self) -> int:
        return self.gateway_port + 4

    @property
    def database_port(self) -> int:
        return self.gateway_port + 6

    @property
    def grpc_inference_port(self) -> int:
        return self.gateway_port + 7

    @property
    def grpc_management_port(self) -> int:
        return self.gateway_port + 8

    @property
    def exporter_port(self) -> int:
        return self.gateway_port + 9

    @property
    def prometheus_port(self) -> int:
        return self.gateway_port + 10

    @property
    def alertmanager_port(self) -> int:
        return self.gateway_port + 11

    @property
    def inner_url(self) -> str:
        return f"http://{self.hosts.inner}:{self.inner_port}"

    @property
    def inference_url(self) -> str:
        return f"http://{self.hosts.inference}:{self.inference_port}"

    @property
    def management_address(self) -> str:
        """As TorchServe's configuration writes it.

        Natively a socket: a web page in a browser on this machine sends requests to any port of loopback.
        """
        if self.in_containers:
            return f"http://{self.hosts.management}:{MANAGEMENT_PORT}"
        return f"unix:{self.management_socket}"

    @property
    def in_containers(self) -> bool:
        return self.hosts == IN_CONTAINERS

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host = "localhost" if self.gateway_host in ("127.0.0.1", "0.0.0.0", "::") else self.gateway_host  # noqa: S104
        return f"http://{host}:{self.gateway_port}"

    # Files

    @property
    def secrets(self) -> Path:
        return SECRETS_OF_A_CONTAINER if self.in_containers else self.state / "secrets"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def run(self) -> Path:
        """Rendered configuration and what lives as long as a run."""
        return self.state / "run"

    @property
    def outbox(self) -> Path:
        return self.state / "outbox" / "outbox.sqlite3"

    @property
    def operator_password(self) -> Path:
        """The operator's password of this run, for the page; missing where none is set."""
        return self.run / "operator_password"

    @property
    def database(self) -> Path:
        """PostgreSQL's data directory."""
        return self.state / "postgres"

    @property
    def retraining(self) -> Path:
        """Challenger and report of the last `make retrain`, and the labels that it saw."""
        return ROOT / "runs" / "retrain" if self.in_containers else self.state / "retrain"

    @property
    def metrics_files(self) -> Path:
        """Where the exporter and TorchServe's workers count (monitoring/exporter/files.py)."""
        return self.state / "metrics"

    @property
    def version_changes(self) -> Path:
        """The log of what `swap`, `rollback`, `canary` and `promote` changed, a line of JSON each."""
        return self.state / "version_changes.jsonl"

    @property
    def versions(self) -> Path:
        """The file that states which model versions should be served."""
        return self.state / "versions.json"

    @property
    def served(self) -> Path:
        """The same document for what TorchServe serves now."""
        return self.run / "served.json"

    @property
    def versions_lock(self) -> Path:
        """Held by the command that changes the versions."""
        return self.state / "versions.lock"

    @property
    def rejected(self) -> Path:
        """Why the last candidate could not be served, as TorchServe's keeper tells it."""
        return self.run / "rejected.json"

    @property
    def split(self) -> Path:
        """In containers the gateway's part of the versions, as TorchServe's keeper writes it."""
        return self.state / "split.conf"

    @property
    def sockets(self) -> Path:
        """A private folder for UNIX sockets, the same for every command: it does not depend on TMPDIR.

        Where the path below the state is too long or has unusual characters, it is one in /tmp.
        """
        below = self.run / "sockets"
        if PLAIN_SHORT_PATH.fullmatch(str(below)) and not self.in_containers:
            return below
        digest = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:8]
        return Path("/tmp") / f"mnist-{os.getuid()}-{digest}"  # noqa: S108  make_folders refuses another user's

    @property
    def management_socket(self) -> Path:
        """TorchServe's management natively, in the folder that TorchServe has to itself."""
        return self.sockets / "torchserve" / "management.sock"

    @property
    def page_socket(self) -> Path:
        """Where the page of a native system listens. On a TCP port any web page in a browser could open it."""
        return self.sockets / "page.sock"

    def python(self, environment: str) -> Path:
        """The interpreter of one of the environments that `make` creates: ops, page, serve or train."""
        return ROOT / ".venv" / environment / "bin" / "python"


def _make_folder(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise OpsError(
            f"The folder {folder} cannot be made: {error.strerror}. Remove or rename what is in its place."
        ) from None


def ports(system: System) -> Iterable[tuple[str, int]]:
    """Name and number of each port that the system listens on."""
    monitoring = (("Prometheus", system.prometheus_port), ("Alertmanager", system.alertmanager_port))
    return (
        ("gateway", system.gateway_port),
        ("gateway, inner listener", system.inner_port),
        ("TorchServe, inference", system.inference_port),
        ("TorchServe, metrics", system.metrics_port),
        ("PostgreSQL", system.database_port),
        ("TorchServe, inference by gRPC", system.grpc_inference_port),
        ("TorchServe, management by gRPC", system.grpc_management_port),
        ("exporter", system.exporter_port),
        *(monitoring if system.monitoring else ()),
    )
