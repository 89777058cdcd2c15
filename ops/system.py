"""The paths, ports and addresses of one system.

Two native systems on one machine differ in `STATE_DIR` (each checkout has its own `var/`) and `GATEWAY_PORT`, which
determine the other values. In containers, a part has a host name instead of loopback.
"""

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import settings
from ops.errors import OpsError
from ops.files import write_whole

ROOT = Path(__file__).resolve().parent.parent

# The environment variable by which ops/native/leftovers.py finds the processes of a killed supervisor.
MARK = "MNIST_SYSTEM"
# Compose mounts a container's secrets here.
SECRETS_OF_A_CONTAINER = Path("/run/secrets")
LONGEST_SOCKET_PATH = 107  # bytes, by Linux
# Bytes for the names in the folder of the sockets, such as torchserve/management.sock.
LONGEST_SOCKET_NAME = 40
PLAIN_SHORT_PATH = re.compile(rf"[A-Za-z0-9_./-]{{1,{LONGEST_SOCKET_PATH - LONGEST_SOCKET_NAME}}}")


@dataclass(frozen=True)
class Hosts:
    """The hosts on which the parts listen. In containers, each name resolves in one network (docker-compose.yml)."""

    inner: str = "127.0.0.1"
    inference: str = "127.0.0.1"
    management: str = ""  # natively a Unix socket
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
class Port:
    """A port at a distance above the public one, so one number moves a system."""

    name: str
    above: int
    of_monitoring: bool = False

    def __get__(self, system: "System", owner: object) -> int:
        return system.gateway_port + self.above


@dataclass(frozen=True)
class Below:
    """A path below a system's state folder."""

    path: str

    def __get__(self, system: "System", owner: object) -> Path:
        return system.state / self.path


@dataclass(frozen=True)
class System:
    """The state folder, model store and gateway address of a system, and the values that follow. Paths are absolute."""

    state: Path
    model_store: Path
    gateway_host: str
    gateway_port: int
    hosts: Hosts = Hosts()
    monitoring: bool = False  # with Prometheus and Alertmanager

    @classmethod
    def from_settings(cls) -> "System":
        """The system of the environment's settings."""
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
        """The system that `up` started last, or the system of the settings if there is none.

        So after `make up GATEWAY_PORT=9000`, `make status` needs no port. If the record is damaged, print a line on
        stderr and use the settings.
        """
        configured = cls.from_settings()
        try:
            record = json.loads(configured._record.read_text(encoding="utf-8"))
            return cls(
                state=configured.state,
                model_store=Path(record["model_store"]),
                gateway_host=str(record["gateway_host"]),
                gateway_port=settings.port(record["gateway_port"]),
                monitoring=record.get("monitoring") is True,  # missing in old records
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
        """Write the record that `running_or_configured` reads."""
        record = {
            "model_store": str(self.model_store),
            "gateway_host": self.gateway_host,
            "gateway_port": self.gateway_port,
            "monitoring": self.monitoring,
        }
        write_whole(self._record, json.dumps(record) + "\n")

    def make_folders(self) -> None:
        """Create the folders, with mode 0700 for secrets, drawings and sockets. Raises OpsError."""
        for folder in (self.state, self.logs, self.run, self.metrics_files):
            _make_folder(folder, 0o777)
        for folder in (self.secrets, self.outbox.parent, self.sockets):
            _make_folder(folder, 0o700)
            if folder == self.sockets and (folder.is_symlink() or folder.stat().st_uid != os.geteuid()):
                raise OpsError(f"{folder} belongs to somebody else. Remove it, then run the command again.")
            folder.chmod(0o700)  # earlier versions used another mode

    inner_port = Port("gateway, inner listener", 1)
    inference_port = Port("TorchServe, inference", 2)
    metrics_port = Port("TorchServe, metrics", 4)
    database_port = Port("PostgreSQL", 6)
    grpc_inference_port = Port("TorchServe, inference by gRPC", 7)
    grpc_management_port = Port("TorchServe, management by gRPC", 8)
    exporter_port = Port("exporter", 9)
    prometheus_port = Port("Prometheus", 10, of_monitoring=True)
    alertmanager_port = Port("Alertmanager", 11, of_monitoring=True)

    logs = Below("log")
    run = Below("run")  # rendered configuration and other files of the current run
    _record = Below("run/system.json")
    gateway_files = Below("run/gateway")  # nginx's configuration and its other files
    gateway_split = Below("run/gateway/split.conf")  # natively, the traffic split
    gateway_monitoring = Below("run/gateway/http.d/monitoring.conf")  # contains the operator's password
    monitoring_files = Below("monitoring")  # configuration and data of Prometheus and Alertmanager
    supervisor_configuration = Below("run/supervisord.conf")
    outbox = Below("outbox/outbox.sqlite3")
    operator_password = Below("run/operator_password")  # for the page; missing if none is set
    database = Below("postgres")  # PostgreSQL's data directory
    metrics_files = Below("metrics")  # of exporter and TorchServe's workers (monitoring/exporter/files.py)
    versions = Below("versions.json")  # the desired state of the model versions (ops/versions/state.py)
    versions_lock = Below("versions.lock")  # of commands that change the versions
    version_changes = Below("version_changes.jsonl")  # swap, rollback, canary, promote: a JSON line each
    served = Below("run/served.json")  # the state that TorchServe serves now, in the format of `versions`
    report = Below("run/report.json")  # the controller's report (ops/versions/store.py)
    split = Below("split.conf")  # in containers, the traffic split that the controller writes for the gateway

    @property
    def inner_url(self) -> str:
        return f"http://{self.hosts.inner}:{self.inner_port}"

    @property
    def inference_url(self) -> str:
        return f"http://{self.hosts.inference}:{self.inference_port}"

    @property
    def management_address(self) -> str:
        """TorchServe's management address in the form of its configuration.

        Natively it is a socket, because any web page in a local browser can send requests to loopback ports.
        """
        if self.in_containers:
            return f"http://{self.hosts.management}:{MANAGEMENT_PORT}"
        return f"unix:{self.management_socket}"

    @property
    def in_containers(self) -> bool:
        return bool(self.hosts.management)

    @property
    def address(self) -> str:
        """The page's URL for a browser on this machine."""
        host = "localhost" if self.gateway_host in ("127.0.0.1", "0.0.0.0", "::") else self.gateway_host  # noqa: S104
        return f"http://{host}:{self.gateway_port}"

    @property
    def secrets(self) -> Path:
        return SECRETS_OF_A_CONTAINER if self.in_containers else self.state / "secrets"

    @property
    def retraining(self) -> Path:
        """The folder of challenger, report and labels of the last `make retrain`."""
        return ROOT / "runs" / "retrain" if self.in_containers else self.state / "retrain"

    @property
    def labels(self) -> Path:
        """The folder of labelled drawings that go to the S3 store or come from it."""
        return ROOT / "data" / "labels" if self.in_containers else self.state / "labels"

    @property
    def sockets(self) -> Path:
        """The private folder of Unix sockets, independent of TMPDIR.

        It is in /tmp if the path below the state folder is too long or has unusual characters.
        """
        below = self.run / "sockets"
        if PLAIN_SHORT_PATH.fullmatch(str(below)) and not self.in_containers:
            return below
        digest = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:8]
        return Path("/tmp") / f"mnist-{os.getuid()}-{digest}"  # noqa: S108  make_folders rejects another user's folder

    @property
    def management_socket(self) -> Path:
        """The socket of TorchServe's management API, natively, in TorchServe's private folder."""
        return self.sockets / "torchserve" / "management.sock"

    @property
    def page_socket(self) -> Path:
        """The socket of the native page. A TCP port would be open to every web page in a local browser."""
        return self.sockets / "page.sock"

    def python(self, environment: str) -> Path:
        """The interpreter of one of the environments that `make` creates: ops, page, serve or train."""
        return ROOT / ".venv" / environment / "bin" / "python"


def _make_folder(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise OpsError(
            f"The folder {folder} cannot be created: {error.strerror}. Remove or rename a file of that name."
        ) from None


def ports(system: System) -> list[tuple[str, int]]:
    """The name and number of each port that the system uses."""
    others = [port for port in vars(System).values() if isinstance(port, Port)]
    used = [port for port in others if system.monitoring or not port.of_monitoring]
    return [
        ("gateway", system.gateway_port),
        *((port.name, system.gateway_port + port.above) for port in used),
    ]
