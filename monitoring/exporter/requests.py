"""The requests that the gateway answered: nginx sends its access log here, a datagram for each request.

UDP and not a Unix socket: Linux holds 10 datagrams at a Unix socket (net.unix.max_dgram_qlen), and nginx never waits.
At 3,300 requests/s 46 % were lost there, and none by UDP (2 cores).
"""

import contextlib
import re
import socket
import time
from functools import lru_cache
from typing import NamedTuple

from prometheus_client import Counter, Histogram

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
UPSTREAM = {"predict": "torchserve", "explain": "torchserve", "page": "page", "upload": "page"}
BUFFER_BYTES = 2**20
# Those that came meanwhile are read at once, for 9 us each; to wake up for each one takes 36. The buffer holds at least
# 500 (net.core.rmem_max): as many as come in this time at 10,000 a second.
PAUSE_S = 0.05
LONGEST = 4096
LISTENERS = ("public", "inner")
ROUTES = ("predict", "explain", "ping", "page", "upload", "other")
STATUS = re.compile(r"\d{3}")
VERSION = re.compile(r"([0-9][0-9A-Za-z.-]{0,30})?")
NUMBER = re.compile(r"[0-9.]+")
SWITCHING_PROTOCOLS = "101"

REQUESTS = Counter(
    "mnist_requests",
    "Requests that the gateway answered.",
    ["listener", "route", "status", "model_version"],
    registry=None,
)
DURATION = Histogram(
    "mnist_request_duration_seconds",
    "Time from the first byte of a request to the last byte of its answer: a slow client counts, too.",
    ["listener", "route", "model_version"],
    buckets=BUCKETS_S,
    registry=None,
)
UPSTREAM_DURATION = Histogram(
    "mnist_upstream_duration_seconds",
    "Time until the gateway had the whole answer of the model server or the page. No client can make it longer.",
    ["upstream", "route"],
    buckets=BUCKETS_S,
    registry=None,
)


class Metrics(NamedTuple):
    """Those of requests of one kind."""

    requests: Counter
    duration: Histogram
    upstream: Histogram | None


class Requests:
    """The socket at which the access log arrives, open from the start."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError."""
        [(family, kind, _, _, place), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        self._socket = socket.socket(family, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(place)

    def read(self) -> None:
        """Count for ever. What is no line of the access log is ignored."""
        while True:
            self._count_next()  # waits for it
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._count_next(socket.MSG_DONTWAIT)
            time.sleep(PAUSE_S)

    def _count_next(self, flags: int = 0) -> None:
        with contextlib.suppress(ValueError):
            count(self._socket.recv(LONGEST, flags))


def count(line: bytes) -> None:
    """Count a request by its line of the access log (log_format in gateway/nginx.conf.template).

    Its values are words and numbers of the gateway's own, nothing that a client wrote. Raises ValueError for what is no
    such line.
    """
    listener, route, status, version, seconds, waited = line.decode().partition(": ")[2].split("\t")
    duration = float(seconds)
    # One number for each server that was asked, separated by commas or, after an internal redirect, by colons; "-" for
    # none.
    upstream_durations = [float(number) for number in NUMBER.findall(waited)]
    metrics = _metrics(listener, route, status, version)
    metrics.requests.inc()
    if status == SWITCHING_PROTOCOLS:
        return  # a WebSocket: it lasts as long as the visitor stays
    metrics.duration.observe(duration)
    if metrics.upstream and upstream_durations:
        metrics.upstream.observe(sum(upstream_durations))


@lru_cache(maxsize=1000)
def _metrics(listener: str, route: str, status: str, version: str) -> Metrics:
    """Cached: the lookup takes longer than counting. Raises ValueError for labels that are not the gateway's."""
    if (
        listener not in LISTENERS
        or route not in ROUTES
        or not (STATUS.fullmatch(status) and VERSION.fullmatch(version))
    ):
        raise ValueError(listener, route, status, version)
    return Metrics(
        REQUESTS.labels(listener, route, status, version),
        DURATION.labels(listener, route, version),
        UPSTREAM_DURATION.labels(UPSTREAM[route], route) if route in UPSTREAM else None,
    )
