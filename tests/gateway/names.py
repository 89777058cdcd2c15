"""A DNS server for tests: the IPv4 addresses of names, which a test may change."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

A_RECORD = 1
NO_SUCH_NAME = 3
POLL_S = 0.05
SECONDS_OF_LIFE = 600  # as Docker's; nginx must not wait that long


@contextmanager
def name_server(names: Mapping[str, Sequence[str]]) -> Iterator[int]:
    """The port of a DNS server on loopback that reads `names` at each query."""
    stopped = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(POLL_S)

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    query, client = server.recvfrom(512)
                    server.sendto(_answer(query, names), client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()


def _answer(query: bytes, names: Mapping[str, Sequence[str]]) -> bytes:
    """RFC 1035: the query's id and question, then a record per address."""
    labels, end = [], 12
    while length := query[end]:
        labels.append(query[end + 1 : end + 1 + length].decode())
        end += 1 + length
    question = query[12 : end + 5]
    (kind,) = struct.unpack("!H", question[-4:-2])
    name = ".".join(labels)
    addresses = names.get(name, ()) if kind == A_RECORD else ()
    flags = 0x8180 | (0 if name in names else NO_SUCH_NAME)
    header = query[:2] + struct.pack("!5H", flags, 1, len(addresses), 0, 0)
    record = struct.pack("!3HIH", 0xC00C, A_RECORD, 1, SECONDS_OF_LIFE, 4)
    return header + question + b"".join(record + socket.inet_aton(address) for address in addresses)
