"""Counters and durations of the gateway's requests, from its access log: nginx sends one datagram per request.

The datagrams go over UDP. A Unix socket holds only 10 datagrams in Linux (net.unix.max_dgram_qlen), and nginx never
waits: at 3,300 requests/s a Unix socket lost 46 % of them, and UDP none (2 cores).
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
# Datagrams are read in groups, for 9 us each; one wake-up per datagram takes 36 us. The buffer holds at least 500
# datagrams (net.core.rmem_max), as many as arrive during the pause at 10,000 requests/s.
PAUSE_S = 0.05
LONGEST_BYTES = 4096
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
    "Time from the first byte of a request to the last byte of its response, including the time of a slow client.",
    ["listener", "route", "model_version"],
    buckets=BUCKETS_S,
    registry=None,
)
UPSTREAM_DURATION = Histogram(
    "mnist_upstream_duration_seconds",
    "Time until the gateway has the whole response of the model server or the page. Slow clients do not change it.",
    ["upstream", "route"],
    buckets=BUCKETS_S,
    registry=None,
)


class Series(NamedTuple):
    """The series of requests with the same labels."""

    requests: Counter
    duration: Histogram
    upstream: Histogram | None


class AccessLog:
    """The UDP socket that receives the access log, open from the start."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError."""
        [(family, kind, _, _, place), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        self._socket = socket.socket(family, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(place)

    def count_forever(self) -> None:
        """Count requests and ignore datagrams in another format."""
        while True:
            self._count_next()  # waits for a datagram
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._count_next(socket.MSG_DONTWAIT)
            time.sleep(PAUSE_S)

    def _count_next(self, flags: int = 0) -> None:
        with contextlib.suppress(ValueError):
            count(self._socket.recv(LONGEST_BYTES, flags))


def count(line: bytes) -> None:
    """Count a request by its line in the access log (log_format in gateway/nginx.conf.template).

    The gateway determines all values of the line; none comes from a client. Raises ValueError for another format.
    """
    listener, route, status, version, seconds, upstream_seconds = line.decode().partition(": ")[2].split("\t")
    duration = float(seconds)
    # One number per contacted server, separated by commas or, after an internal redirect, by colons; "-" for none.
    upstream_durations = [float(number) for number in NUMBER.findall(upstream_seconds)]
    series = _series(listener, route, status, version)
    series.requests.inc()
    if status == SWITCHING_PROTOCOLS:
        return  # a WebSocket: its duration is that of the visit
    series.duration.observe(duration)
    if series.upstream and upstream_durations:
        series.upstream.observe(sum(upstream_durations))


@lru_cache(maxsize=1000)
def _series(listener: str, route: str, status: str, version: str) -> Series:
    """The series of these labels; raises ValueError for unknown ones. Cached: a lookup takes longer than counting."""
    known = listener in LISTENERS and route in ROUTES
    if not (known and STATUS.fullmatch(status) and VERSION.fullmatch(version)):
        raise ValueError(listener, route, status, version)
    return Series(
        REQUESTS.labels(listener, route, status, version),
        DURATION.labels(listener, route, version),
        UPSTREAM_DURATION.labels(UPSTREAM[route], route) if route in UPSTREAM else None,
    )
