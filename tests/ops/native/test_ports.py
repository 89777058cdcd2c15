"""The search for free ports skips ports in use."""

import random
import socket

import pytest

from ops.errors import OpsError
from ops.native.ports import LAST_PORT, PORTS_PER_SYSTEM, bind_error, free_ports


@pytest.fixture
def taken():
    """A port in use, below the kernel's range for clients."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_ports(random.randrange(10_000, 30_000))))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_has_a_reason(taken):
    assert "in use" in bind_error("127.0.0.1", taken)


def test_free_ports_skips_a_taken_port(taken):
    for below in range(PORTS_PER_SYSTEM):
        first = free_ports(taken - below)
        assert taken not in range(first, first + PORTS_PER_SYSTEM)
        assert all(bind_error("127.0.0.1", port) is None for port in range(first, first + PORTS_PER_SYSTEM))


def test_free_ports_ends_at_the_last_port():
    with pytest.raises(OpsError, match="GATEWAY_PORT"):
        free_ports(LAST_PORT - 3)
