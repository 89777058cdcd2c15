"""Clients that send pictures until the end of a block, and record each request.

with clients(address, 20) as requests:
    ...
[request for request in requests if not request.ok]
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
import urllib3

from tests.containers.deployment import SEVEN

# Longer than the gateway's own limits.
TIMEOUT_S = 60
# Between an answer and the next picture: two nodes, the clients and a swap's sixteen processes share two cores.
PAUSE_S = 2.0


@dataclass(frozen=True)
class Request:
    """A request: monotonic times, the drawing's id, the version that answered, or the reason why none did."""

    begin: float
    end: float
    drawing: str
    version: str = ""
    failure: str = ""


def predict(session: requests.Session, address: str, drawing: str) -> Request:
    begin = time.monotonic()
    version = failure = ""
    try:
        answer = session.post(
            f"{address}/predictions/mnist", data=SEVEN, headers={"X-Drawing-Id": drawing}, timeout=TIMEOUT_S
        )
        if answer.status_code == 200 and answer.json()["digit"] == 7:
            version = answer.json()["model_version"]
        else:
            failure = f"{answer.status_code} {answer.text[:200]}"
    except requests.RequestException as error:
        failure = repr(error)
    return Request(begin, time.monotonic(), drawing, version, failure)


@contextmanager
def clients(address: str, count: int) -> Iterator[list[Request]]:
    """Run clients that send pictures one after the other, with a pause and a new drawing's id each time."""
    done: list[Request] = []
    ended = threading.Event()

    def send() -> None:
        with session() as own:
            while not ended.is_set():
                done.append(predict(own, address, str(uuid.uuid4())))
                ended.wait(PAUSE_S)

    threads = [threading.Thread(target=send) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def session() -> requests.Session:
    """A session that accepts the gateway's self-signed certificate."""
    own = requests.Session()
    # A stand-in of the gateway's image has nginx 1.26, which closes idle connections at a reload.
    own.headers["Connection"] = "close"
    own.trust_env = False
    own.verify = False
    urllib3.disable_warnings()
    return own
