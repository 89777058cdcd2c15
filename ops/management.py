"""TorchServe's management API, for one model name.

    with Management("http://127.0.0.1:8003") as management:
        management.register("1.1")
        management.registered()["1.1"].is_up   # True, seconds later

Every call raises requests.RequestException where TorchServe does not answer, or answers with an error.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple, Self

import requests

from ops.versions import archive_name

MODEL = "mnist"
REQUEST_TIMEOUT_S = 5.0
# It unpacks the archive before it answers.
REGISTER_TIMEOUT_S = 30.0
READY = "READY"


class Worker(NamedTuple):
    """A worker's process, 0 or less while it has none, and TorchServe's word for its state."""

    pid: int
    state: str


@dataclass(frozen=True)
class Registered:
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
    """The management API of a TorchServe."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give back the connection."""
        self._session.close()

    def registered(self) -> dict[str, Registered]:
        """Each registered version; one that is registered may have no worker that answers."""
        response = self._session.get(f"{self._url}/models/{MODEL}/all", timeout=REQUEST_TIMEOUT_S)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return {}
        response.raise_for_status()
        return {found.version: found for found in map(_registered, response.json())}

    def default(self) -> str | None:
        """The version that answers requests which name none; None while nothing is registered."""
        response = self._session.get(f"{self._url}/models/{MODEL}", timeout=REQUEST_TIMEOUT_S)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        response.raise_for_status()
        return str(response.json()[0]["modelVersion"])

    def register(self, version: str) -> None:
        """Register an archive of the model store; its workers come up meanwhile.

        Asked to wait for them, TorchServe would answer nobody whose connection is served by the same thread.
        """
        parameters = {"url": archive_name(version), "synchronous": "false"}
        self._session.post(
            f"{self._url}/models", params=parameters, timeout=REGISTER_TIMEOUT_S
        ).raise_for_status()

    def unregister(self, version: str) -> None:
        """Take a version out, if it is there, and end its workers with whatever they are at. Its archive stays."""
        response = self._session.delete(f"{self._url}/models/{MODEL}/{version}", timeout=REQUEST_TIMEOUT_S)
        if response.status_code != HTTPStatus.NOT_FOUND:
            response.raise_for_status()

    def scale(self, version: str, workers: int) -> None:
        """Let a version have so many workers; does not wait for new ones."""
        parameters = {"min_worker": str(workers), "max_worker": str(workers)}
        self._session.put(
            f"{self._url}/models/{MODEL}/{version}", params=parameters, timeout=REQUEST_TIMEOUT_S
        ).raise_for_status()

    def set_default(self, version: str) -> None:
        """Let requests that name no version go to this one; TorchServe does not look whether it has workers."""
        self._session.put(
            f"{self._url}/models/{MODEL}/{version}/set-default", timeout=REQUEST_TIMEOUT_S
        ).raise_for_status()


def _registered(description: dict[str, Any]) -> Registered:
    return Registered(
        version=description["modelVersion"],
        workers={
            worker["id"]: Worker(worker["pid"], worker["status"]) for worker in description.get("workers", [])
        },
        wanted_workers=description.get("minWorkers", 0),
        pending=description.get("jobQueueStatus", {}).get("pendingRequests", 0),
    )


def reason(error: Exception) -> str:
    """What TorchServe said of an error, in one line."""
    response = getattr(error, "response", None)
    if response is None:
        return str(error)
    try:
        return " ".join(str(response.json()["message"]).split())
    except (ValueError, KeyError, TypeError):
        return str(error)
