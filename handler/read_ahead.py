"""Let a TorchServe worker read its requests with few system calls.

It asks the kernel for each field by itself, 36 times for a request with the headers of the gateway: 62 µs, and 118 for
a batch of two. Through a buffer these are 20 and 34 µs. 0.12.0 is TorchServe's last release, so the function that
this replaces stays what it is.
"""

import socket
import sys
from io import BufferedReader


def read_ahead() -> None:
    """Replace the function by which the worker reads. Call it between two requests, while no bytes are unread."""
    from ts.protocol import otf_message_handler  # only a worker has it

    streams: dict[socket.socket, BufferedReader] = {}

    def read(connection: socket.socket, length: int) -> bytes:
        if connection not in streams:
            streams[connection] = BufferedReader(socket.SocketIO(connection, "r"), 65536)
        data = streams[connection].read(length)
        if len(data) < length:
            sys.exit(0)  # as the worker does when TorchServe is gone
        return data

    otf_message_handler._retrieve_buffer = read
