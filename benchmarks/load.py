"""Load from many clients: keep-alive connections over epoll, one request in flight on each.

    measured = run(Target("TorchServe", 8002, "/predictions/mnist"), bodies, clients=32, seconds=3)
    measured.per_second, measured.latencies_ms

The generator shares the machine's cores with the server and must not be the bottleneck. A request costs it about 20 µs
of one core; HTTP client libraries need 300 µs and more. The tables have its throughput against an idle server.
"""

import gc
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

TIMEOUT_S = 30.0
RECEIVED_AT_ONCE = 65536
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class LoadError(Exception):
    """A wrong response, which would make the measurement meaningless."""


@dataclass(frozen=True)
class Target:
    """Address and path of a server, by default on this machine. Clients are divided evenly among several ports."""

    name: str
    port: int | tuple[int, ...]
    path: str
    host: str = "127.0.0.1"

    def address(self, client: int) -> tuple[str, int]:
        ports = self.port if isinstance(self.port, tuple) else (self.port,)
        return self.host, ports[client % len(ports)]

    def request(self, body: bytes) -> bytes:
        head = f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: image/png\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body


@dataclass(frozen=True)
class Measured:
    """Throughput, latencies and CPU cost of one measurement."""

    per_second: float
    latencies_ms: list[float]
    cpu_ms: float  # per answer


class Answer(NamedTuple):
    """Arrival (time.perf_counter), latency and body of a response; the body of an error is empty."""

    at: float
    milliseconds: float
    body: bytes
    error: LoadError | None


class _Connection:
    """One client with one connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self.sent_at = 0.0
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(self._address, timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self.ended = False

    def open_again(self) -> None:
        self.socket.close()
        self.open()

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The body of the response, None while it is incomplete. Raises LoadError for another status than 200."""
        data = self.socket.recv(RECEIVED_AT_ONCE)
        if not data:
            raise LoadError(f"The server closed the connection after {self._received[:200]!r}")
        self._received += data
        end_of_head = self._received.find(b"\r\n\r\n")
        if end_of_head < 0:
            return None
        length = _LENGTH.search(self._received, 0, end_of_head)
        if length is None:
            raise LoadError(f"An answer without a length: {self._received[:end_of_head]!r}")
        if len(self._received) < end_of_head + 4 + int(length[1]):
            return None
        answer, self._received = self._received, b""
        if not answer.startswith(b"HTTP/1.1 200"):
            raise LoadError(f"Not a 200: {answer[:500]!r}")
        # nginx closes a connection after 1,000 requests.
        self.ended = _CLOSE.search(answer, 0, end_of_head + 2) is not None
        return answer[end_of_head + 4 :]


def run(
    target: Target,
    bodies: Sequence[bytes],
    clients: int,
    seconds: float,
    warm_up_s: float = 0.5,
    *,
    most: int = sys.maxsize,
    cpu_s: Callable[[], float] = lambda: 0.0,
) -> Measured:
    """Post the bodies in turn from concurrent clients, for `seconds` after a warm-up or until `most` answers.

    `cpu_s` returns the server's CPU seconds so far. Raises LoadError for an error response, and without any response.
    """
    latencies: list[float] = []
    before: float | None = None
    with closing(stream(target, bodies, clients)) as answers:
        begin = time.perf_counter() + warm_up_s
        end = begin + seconds
        for answer in answers:
            if answer.error:
                raise answer.error
            if begin <= answer.at < end:
                before = cpu_s() if before is None else before
                latencies.append(answer.milliseconds)
            if answer.at >= end or len(latencies) == most:
                break
    if before is None:
        raise LoadError(f"{target.name} answered none of {clients} clients within {seconds:g} s")
    cpu_ms = (cpu_s() - before) * 1000 / len(latencies)
    return Measured(len(latencies) / (min(time.perf_counter(), end) - begin), latencies, cpu_ms)


def stream(target: Target, bodies: Sequence[bytes], clients: int) -> Generator[Answer, None, None]:
    """Each response on arrival, including errors, without end. Raises LoadError after TIMEOUT_S without a response.

    The clients wait while the caller handles a response.
    """
    requests = cycle([target.request(body) for body in bodies])
    with (
        _connections([target] * clients) as connections,
        select.epoll() as ready,
        _disable_garbage_collection(),
    ):
        by_number = {connection.socket.fileno(): connection for connection in connections}
        for number, connection in by_number.items():
            ready.register(number, select.EPOLLIN)
            connection.send(next(requests))
        while events := ready.poll(TIMEOUT_S):
            for number, _ in events:
                connection = by_number[number]
                body: bytes | None = b""
                error: LoadError | None = None
                try:
                    body = connection.receive()
                except (OSError, LoadError) as failure:
                    error = LoadError(str(failure))
                    connection.ended = True
                if body is None:
                    continue
                now = time.perf_counter()
                yield Answer(now, (now - connection.sent_at) * 1000, body, error)
                if connection.ended:
                    del by_number[number]  # epoll removes a closed socket itself
                    connection.open_again()
                    by_number[connection.socket.fileno()] = connection
                    ready.register(connection.socket.fileno(), select.EPOLLIN)
                connection.send(next(requests))
    raise LoadError(f"{target.name} answered nothing within {TIMEOUT_S:.0f} s")


def alternate(targets: Sequence[Target], bodies: Sequence[bytes], rounds: int) -> dict[str, list[float]]:
    """Latencies in ms by target name, from one client that posts each body to each target in turn, `rounds` times."""
    latencies: dict[str, list[float]] = {target.name: [] for target in targets}
    with _connections(targets) as connections, _disable_garbage_collection():
        for _, body in zip(range(rounds), cycle(bodies), strict=False):
            for target, connection in zip(targets, connections, strict=True):
                _ask(connection, target, body)
                latencies[target.name].append((time.perf_counter() - connection.sent_at) * 1000)
    return latencies


def ask(target: Target, bodies: Sequence[bytes]) -> list[bytes]:
    """The responses to the bodies, posted one after the other."""
    with _connections([target]) as [connection]:
        return [_ask(connection, target, body) for body in bodies]


def _ask(connection: _Connection, target: Target, body: bytes) -> bytes:
    if connection.ended:
        connection.open_again()
    connection.send(target.request(body))
    while (answer := connection.receive()) is None:
        pass
    return answer


@contextmanager
def _connections(targets: Sequence[Target]) -> Iterator[list[_Connection]]:
    connections: list[_Connection] = []
    try:
        for client, target in enumerate(targets):
            connections.append(_Connection(target.address(client)))
        yield connections
    finally:
        for connection in connections:
            connection.socket.close()


@contextmanager
def _disable_garbage_collection() -> Iterator[None]:
    """Disable garbage collection during a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
