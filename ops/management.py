"""TorchServe's management API, for one model name.

    management = Management("unix:/tmp/mnist-1000-0a1b2c3d/torchserve/management.sock")
    management.register("1.1")
    management.list_versions()["1.1"].is_up   # True, seconds later

An address is written as in TorchServe's configuration: unix:/PATH, or http://HOST:PORT as in containers.
Every call raises ManagementError where TorchServe does not answer, or answers with an error.
"""

import contextlib
import http.client
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from ops.sockets import SocketConnection
from ops.versions import archive_name

MODEL = "mnist"
REQUEST_TIMEOUT_S = 5.0
# It unpacks the archive before it answers.
REGISTER_TIMEOUT_S = 30.0
# Milliseconds that a request waits for others to share its batch. In the archive's configuration 0 becomes 100.
MAX_BATCH_DELAY_MS = 0
READY = "READY"
SOCKET = "unix:"


class ManagementError(Exception):
    """What TorchServe did not do, in one line."""


class AwayError(ManagementError):
    """TorchServe does not listen, or broke the connection: it starts, or stops."""


class RefusedError(ManagementError):
    """TorchServe answered with an error, and this is its message."""


class NotFoundError(RefusedError):
    """TorchServe knows no such model, version or archive."""


class Worker(NamedTuple):
    """A worker's process, 0 or less while it has none, and TorchServe's word for its state."""

    pid: int
    state: str


@dataclass(frozen=True)
class RegisteredVersion:
    """What TorchServe says of a version: its workers by their ids, how many there should be, its queue."""

    version: str
    workers: dict[str, Worker]
    wanted_workers: int
    pending: int

    @property
    def is_up(self) -> bool:
        """Whether all of its workers answer."""
        return 0 < self.wanted_workers <= sum(worker.state == READY for worker in self.workers.values())


class Management:
    """The management API of the TorchServe at an address. No proxy is asked, whatever the environment names."""

    def __init__(self, address: str) -> None:
        self._address = address

    def list_versions(self) -> dict[str, RegisteredVersion]:
        """Each registered version; one that is registered may have no worker that answers."""
        try:
            descriptions = self.request("GET", f"/models/{MODEL}/all")
        except NotFoundError:
            return {}
        return {found.version: found for found in map(_parse_version, descriptions)}

    def default(self) -> str | None:
        """The version that answers requests which name none; None while nothing is registered."""
        try:
            return str(self.request("GET", f"/models/{MODEL}")[0]["modelVersion"])
        except NotFoundError:
            return None

    def register(self, version: str) -> None:
        """Register an archive of the model store; its workers come up meanwhile.

        Asked to wait for them, TorchServe would answer nobody whose connection is served by the same thread. The
        batch delay beats the one in the archive's configuration.
        """
        parameters = {
            "url": archive_name(version),
            "max_batch_delay": str(MAX_BATCH_DELAY_MS),
            "synchronous": "false",
        }
        self.request("POST", "/models", parameters, REGISTER_TIMEOUT_S)

    def unregister(self, version: str) -> None:
        """Take a version out, if it is there, and end its workers with whatever they are at. Its archive stays."""
        with contextlib.suppress(NotFoundError):
            self.request("DELETE", f"/models/{MODEL}/{version}")

    def scale(self, version: str, workers: int) -> None:
        """Let a version have so many workers; does not wait for new ones."""
        parameters = {"min_worker": str(workers), "max_worker": str(workers)}
        self.request("PUT", f"/models/{MODEL}/{version}", parameters)

    def set_default(self, version: str) -> None:
        """Let requests that name no version go to this one; TorchServe does not look whether it has workers."""
        self.request("PUT", f"/models/{MODEL}/{version}/set-default")

    def request(
        self,
        method: str,
        path: str,
        parameters: dict[str, str] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Any:
        """TorchServe's answer to one request, read from JSON."""
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
    return RegisteredVersion(
        version=description["modelVersion"],
        workers={
            worker["id"]: Worker(worker["pid"], worker["status"]) for worker in description.get("workers", [])
        },
        wanted_workers=description.get("minWorkers", 0),
        pending=description.get("jobQueueStatus", {}).get("pendingRequests", 0),
    )
