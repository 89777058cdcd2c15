"""All settings of the system: name, type, default and meaning.

    port = settings.GATEWAY_PORT.read()     # reads the environment

A secret may also come from a file, whose path is in `<NAME>_FILE`; no message shows its value. An invalid value stops
the program with a one-line message. A test keeps `.env.example` and this list equal.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SettingError(SystemExit):
    """A setting is missing or invalid; the program ends with this message and status 1."""


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting: `kind` parses the text or raises ValueError.

    `accepted` describes valid values in the error message, if the name of `kind` is not enough.
    """

    name: str
    kind: Callable[[str], T]
    default: T | None
    meaning: str
    secret: bool = False
    accepted: str = ""

    def read(self, environ: Mapping[str, str] = os.environ) -> T:
        """The value from the environment, or the default. Raises SettingError with name, value and type."""
        text = environ.get(self.name)  # empty means not set, as in .env.example
        if self.secret and not text and (file := environ.get(f"{self.name}_FILE")):
            text = self._read_file(file)
        if not text:
            if self.default is None:
                raise SettingError(f"Setting '{self.name}' is missing: {self.meaning}")
            return self.default
        try:
            return self.kind(text)
        except ValueError:
            shown = "(hidden)" if self.secret else text
            accepted = f" Accepted: {self.accepted}." if self.accepted else ""
            raise SettingError(
                f"Setting '{self.name}' has value '{shown}'. Not a valid {self.kind.__name__}.{accepted}"
            ) from None

    def _read_file(self, file: str) -> str:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
            reason = "" if text else "it is empty"
        except OSError as error:
            reason = str(error.strerror)
        except ValueError:
            reason = "it is not UTF-8 text"
        if reason:
            raise SettingError(
                f"Setting '{self.name}_FILE' has value '{file}'. Not a readable file: {reason}."
            )
        return text


def _whole_number(text: str, least: int, most: int) -> int:
    number = int(text)
    if not least <= number <= most:
        raise ValueError(text)
    return number


def port(text: str) -> int:
    """A TCP port, 1 to 65535."""
    return _whole_number(text, 1, 65535)


def requests_per_second(text: str) -> int:
    """A whole number of requests per second; 0 means no limit."""
    return _whole_number(text, 0, 100_000)


def seconds(text: str) -> int:
    """A time in whole seconds, from 1 to 3600."""
    return _whole_number(text, 1, 3600)


def http_url(text: str) -> str:
    """An http or https URL, returned without a trailing slash."""
    if not text.startswith(("http://", "https://")):
        raise ValueError(text)
    return text.rstrip("/")


_HOST = r"(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?"


def host_list(text: str) -> str:
    """Hosts or host:port, separated by spaces or commas; returned in lower case, separated by spaces."""
    return _list(text, re.compile(_HOST))


def origin_list(text: str) -> str:
    """Origins as a browser sends them, such as https://app.example.com, separated by spaces or commas.

    Returned in lower case, without the scheme's default port, separated by spaces.
    """
    origins = _list(text, re.compile(rf"https?://{_HOST}"))
    return re.sub(r"(http:\S*):80(?= |$)|(https:\S*):443(?= |$)", r"\1\2", origins)


def _list(text: str, accepted: re.Pattern[str]) -> str:
    items = text.lower().replace(",", " ").split()
    if not all(map(accepted.fullmatch, items)):
        raise ValueError(text)
    return " ".join(items)


def deployment(text: str) -> str:
    """`native`, `containers` or `swarm`."""
    if text not in ("native", "containers", "swarm"):
        raise ValueError(text)
    return text


def files_or_s3(text: str) -> str:
    """`files` or `s3`."""
    if text not in ("files", "s3"):
        raise ValueError(text)
    return text


def zero_or_one(text: str) -> int:
    """0 or 1."""
    if text not in ("0", "1"):
        raise ValueError(text)
    return int(text)


def postgresql_url(text: str) -> str:
    """A PostgreSQL URL without a password, which is a separate setting."""
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError(text)
    return text


# Name, type and default, then the meaning.
# fmt: off
RUNS_IN = Setting("RUNS_IN", deployment, "native",
    "Where the parts run: native (processes of this checkout), containers (docker-compose.yml), swarm (deploy/swarm).",
    accepted="native, containers, swarm")
GATEWAY_HOST = Setting("GATEWAY_HOST", str, "127.0.0.1",
    "The address that the gateway's public listener binds to.")
GATEWAY_PORT = Setting("GATEWAY_PORT", port, 8000,
    "The public port. The other parts of a native system take their ports from the eleven above it.")
RATE_LIMIT_PER_SECOND = Setting("RATE_LIMIT_PER_SECOND", requests_per_second, 20,
    "Requests per second that one client may send to the API on the public listener, in bursts of 40; 0: no limit.")
PUBLIC_HOSTS = Setting("PUBLIC_HOSTS", host_list, "",
    "Further hosts under which browsers reach the gateway, as in their address bar: host or host:port.",
    accepted="hosts without scheme and path, separated by spaces or commas, for example digits.example.com "
    "digits.example.com:8443")
CORS_ORIGINS = Setting("CORS_ORIGINS", origin_list, "",
    "Origins whose web pages may call the API and read its answers, such as https://app.example.com.",
    accepted="origins (scheme, host and port, without a path or a slash at the end; not *), separated by spaces or "
    "commas, for example https://app.example.com http://localhost:3000")
WORKERS_UP_WITHIN_SECONDS = Setting("WORKERS_UP_WITHIN_SECONDS", seconds, 60,
    "Seconds in which the workers of a model version must start; a slower version is rejected.")
STATE_DIR = Setting("STATE_DIR", Path, Path("var"),
    "The folder of a native system's state: database, outbox, logs, secrets; relative to the checkout.")
MODEL_STORE = Setting("MODEL_STORE", Path, Path("model_store"),
    "The folder of the .mar archives that TorchServe serves; relative to the checkout.")
DRAWN_DATA = Setting("DRAWN_DATA", Path, Path("data/drawn"),
    "The folder of the real drawings that training learns from; relative to the checkout.")
MODEL_URL = Setting("MODEL_URL", http_url, "http://127.0.0.1:8001",
    "The gateway's inner listener, where the page sends drawings.")
DATABASE_URL = Setting("DATABASE_URL", postgresql_url, "postgresql://page@127.0.0.1:8006/mnist",
    "The database that keeps the drawings, without the password.")
DATABASE_PASSWORD = Setting("DATABASE_PASSWORD", str, None,
    "The password of the role in DATABASE_URL, or DATABASE_PASSWORD_FILE: a file that contains it; see make "
    "secrets.", secret=True)
OUTBOX_PATH = Setting("OUTBOX_PATH", Path, Path("var/outbox/outbox.sqlite3"),
    "The SQLite file in which answers and labels wait for the database.")
OPERATOR_PASSWORD = Setting("OPERATOR_PASSWORD", str, "",
    "The password of operators, who see all drawings. Empty: visitors on localhost are operators.", secret=True)
MONITORING = Setting("MONITORING", zero_or_one, 0,
    "1: Prometheus and Alertmanager run, too; in containers also Grafana and Loki.")
ALERTMANAGER_CONFIG = Setting("ALERTMANAGER_CONFIG", Path, Path("monitoring/alertmanager/alertmanager.yml"),
    "Who receives alerts: Alertmanager's configuration; relative to the checkout.")
S3_ENDPOINT = Setting("S3_ENDPOINT", http_url, None,
    "The address of the S3-compatible store of archives and labelled drawings.")
S3_BUCKET = Setting("S3_BUCKET", str, "models",
    "The bucket of the archives and labelled drawings.")
S3_REGION = Setting("S3_REGION", str, "us-east-1",
    "The region of the bucket; self-hosted servers accept any.")
S3_ACCESS_KEY = Setting("S3_ACCESS_KEY", str, None,
    "The access key of the S3 store.")
S3_SECRET_KEY = Setting("S3_SECRET_KEY", str, None,
    "The secret key of the S3 store, or S3_SECRET_KEY_FILE: a file that contains it.", secret=True)
VERSIONS_IN = Setting("VERSIONS_IN", files_or_s3, "files",
    "Where the state of the versions is: files (of one machine) or s3 (the S3 store, which several machines share).")
REPLICA_NAME = Setting("REPLICA_NAME", str, "",
    "The name of a TorchServe replica in its reports to the S3 store. Empty: the host name.")
MLFLOW_TRACKING_URI = Setting("MLFLOW_TRACKING_URI", http_url, "",
    "The MLflow server that receives runs, versions and aliases. Empty: none.")
OTEL_EXPORTER_OTLP_ENDPOINT = Setting("OTEL_EXPORTER_OTLP_ENDPOINT", http_url, "",
    "The OpenTelemetry collector that receives traces by OTLP over HTTP. Empty: none.")
# fmt: on

ALL: tuple[Setting[Any], ...] = tuple(value for value in globals().values() if isinstance(value, Setting))
