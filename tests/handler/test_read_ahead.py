"""The read buffer gives the same requests as TorchServe's own function, with fewer system calls."""

import importlib
import select
import socket
import struct
import threading

import pytest
from ts.protocol import otf_message_handler

from handler.read_ahead import read_ahead

HEADERS = {"Content-Type": "application/octet-stream", "X-Content-Type": "image/png", "explain": "False"}
BODY = bytes(range(256)) * 1000  # more than a buffer holds


class Connection(socket.socket):
    """Counts its reads, and those that had to wait for bytes."""

    reads = 0
    waits = 0

    def recv(self, *arguments):
        self._count()
        return super().recv(*arguments)

    def recv_into(self, *arguments):
        self._count()
        return super().recv_into(*arguments)

    def _count(self):
        self.reads += 1
        self.waits += not select.select([self], [], [], 0)[0]


@pytest.fixture
def connection():
    """TorchServe's end of a worker's connection, and the worker's."""
    importlib.reload(otf_message_handler)  # its own functions, also after a test that started a handler
    server, worker = socket.socketpair()
    counting = Connection(fileno=worker.detach())
    yield server, counting
    server.close()
    counting.close()
    importlib.reload(otf_message_handler)


def _field(content: bytes) -> bytes:
    return struct.pack("!i", len(content)) + content


def _batch(*bodies: bytes) -> bytes:
    """A command to predict, as the frontend of TorchServe 0.12 writes it."""
    end = struct.pack("!i", -1)
    headers = b"".join(_field(part.encode()) for header in HEADERS.items() for part in header)
    return (
        b"I"
        + b"".join(
            _field(b"id") + headers + end + _field(b"body") + _field(b"image/png") + _field(body) + end
            for body in bodies
        )
        + end
    )


def test_the_same_request_is_read_in_few_calls(connection):
    server, worker = connection
    server.sendall(_batch(b"one", b""))
    expected = otf_message_handler.retrieve_msg(worker)
    before = worker.reads
    assert before > 40
    read_ahead()
    for _ in range(2):  # nothing of the next batch is lost
        server.sendall(_batch(b"one", b""))
        assert otf_message_handler.retrieve_msg(worker) == expected
    assert worker.reads - before <= 4  # two a batch


def test_a_worker_waits_for_requests_outside_of_recv(connection):
    server, worker = connection
    read_ahead()
    later = threading.Timer(0.2, server.sendall, [_batch(b"one")])
    later.start()
    command, [request] = otf_message_handler.retrieve_msg(worker)
    later.join()
    assert (command, request["parameters"][0]["value"]) == (b"I", b"one")
    assert (worker.reads, worker.waits) == (1, 0)


def test_a_body_larger_than_the_buffer_arrives_whole(connection):
    server, worker = connection
    read_ahead()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(BODY))
    server.sendall(_batch(BODY))
    _, [request] = otf_message_handler.retrieve_msg(worker)
    assert request["parameters"][0]["value"] == BODY


def test_a_worker_exits_when_torchserve_closes_the_connection(connection):
    server, worker = connection
    read_ahead()
    server.sendall(_batch(b"one")[:20])
    server.close()
    with pytest.raises(SystemExit) as ended:
        otf_message_handler.retrieve_msg(worker)
    assert ended.value.code == 0
