"""TorchServe's management API, for one model name.

    management = Management("unix:/tmp/mnist-1000-0a1b2c3d/torchserve/management.sock")
    management.register("1.1")
    management.list_versions()["1.1"].is_up   # True, seconds later

The address has the form of TorchServe's configuration: unix:/PATH natively, http://HOST:PORT in containers.
Every call raises ManagementError if TorchServe does not answer or reports an error.
"""

import contextlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from ops.sockets import SocketConnection
from ops.versions.state import archive_name

MODEL = "mnist"
REQUEST_TIMEOUT_S = 5.0
# TorchServe unpacks the archive before it answers.
REGISTER_TIMEOUT_S = 30.0
# The batch delay. TorchServe reads 0 in the archive's configuration as 100, but here as 0.
MAX_BATCH_DELAY_MS = 0
READY = "READY"
SOCKET = "unix:"


class ManagementError(Exception):
    """A call failed; the message gives the reason in one line."""


class AwayError(ManagementError):
    """TorchServe does not listen or closed the connection: it is starting or stopping."""


class RefusedError(ManagementError):
    """TorchServe reported an error; this is its message."""


class NotFoundError(RefusedError):
    """TorchServe knows no such model, version or archive."""


class Worker(NamedTuple):
    """A worker's process id (0 or less: no process) and its state in TorchServe's terms."""

    pid: int
    state: str


@dataclass(frozen=True)
class RegisteredVersion:
    """A registered version: workers by id, desired number of workers, queued requests."""

    version: str
    workers: dict[str, Worker]
    wanted_workers: int
    pending: int

    @property
    def is_up(self) -> bool:
        """Whether all desired workers are ready."""
        return 0 < self.wanted_workers <= sum(worker.state == READY for worker in self.workers.values())


class Management:
    """The management API at an address. Ignores proxies of the environment."""

    def __init__(self, address: str) -> None:
        self._address = address

    def list_versions(self) -> dict[str, RegisteredVersion]:
        """The registered versions by name; a version may have no ready worker."""
        try:
            descriptions = self.request("GET", f"/models/{MODEL}/all")
        except NotFoundError:
            return {}
        return {found.version: found for found in map(_parse_version, descriptions)}

    def default(self) -> str | None:
        """The default version, which answers requests without a version; None if none is registered."""
        try:
            return str(self.request("GET", f"/models/{MODEL}")[0]["modelVersion"])
        except NotFoundError:
            return None

    def register(self, version: str) -> None:
        """Register an archive of the model store, without waiting for its workers.

        A synchronous registration would block every connection of the same TorchServe thread. The batch delay
        overrides the archive's configuration.
        """
        parameters = {
            "url": archive_name(version),
            "max_batch_delay": MAX_BATCH_DELAY_MS,
            "synchronous": "false",
        }
        self.request("POST", "/models", parameters, REGISTER_TIMEOUT_S)

    def unregister(self, version: str) -> None:
        """Unregister a version, if registered, and end its workers with their requests. Keeps the archive."""
        with contextlib.suppress(NotFoundError):
            self.request("DELETE", f"/models/{MODEL}/{version}")

    def scale(self, version: str, workers: int) -> None:
        """Set the number of a version's workers, without waiting for new ones."""
        self.request("PUT", f"/models/{MODEL}/{version}", {"min_worker": workers, "max_worker": workers})

    def set_default(self, version: str) -> None:
        """Make a version the default. TorchServe does not check that it has workers."""
        self.request("PUT", f"/models/{MODEL}/{version}/set-default")

    def request(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, object] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Any:
        """TorchServe's answer to one request, parsed from JSON."""
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        with contextlib.closing(_connection(self._address, timeout_s)) as connection:
            try:
                connection.request(method, target)
                response = connection.getresponse()
                body = response.read()
            except TimeoutError:
                raise ManagementError(f"no answer to {method} {path} within {timeout_s:g} s") from None
            except (OSError, http.client.HTTPException) as error:
                raise AwayError(f"no answer to {method} {path}: {error}") from None
        return _parse_response(response.status, body)


def _connection(address: str, timeout_s: float) -> http.client.HTTPConnection:
    if address.startswith(SOCKET):
        return SocketConnection(address.removeprefix(SOCKET), timeout_s)
    return http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout_s)


def _parse_response(status: int, body: bytes) -> Any:
    try:
        content = json.loads(body)
        if status < HTTPStatus.BAD_REQUEST:
            return content
        message = " ".join(str(content["message"]).split())
    except (ValueError, KeyError, TypeError):
        message = f"status {status} and no JSON with a message"
    raise NotFoundError(message) if status == HTTPStatus.NOT_FOUND else RefusedError(message)


def _parse_version(description: dict[str, Any]) -> RegisteredVersion:
    workers = description.get("workers", [])
    return RegisteredVersion(
        version=description["modelVersion"],
        workers={worker["id"]: Worker(worker["pid"], worker["status"]) for worker in workers},
        wanted_workers=description.get("minWorkers", 0),
        pending=description.get("jobQueueStatus", {}).get("pendingRequests", 0),
    )
