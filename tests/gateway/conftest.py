"""The gateway that most tests share. Tests with an unavailable part start their own."""

import pytest

from tests.gateway import upstreams
from tests.gateway.running import Gateway, run_gateway, with_shorter_timeouts
from tests.gateway.upstreams import Server


@pytest.fixture(scope="session")
def model():
    with upstreams.model() as server:
        yield server


@pytest.fixture(scope="session")
def page():
    with upstreams.page() as server:
        yield server


@pytest.fixture(scope="session")
def gateway(model: Server, page: Server, tmp_path_factory) -> Gateway:
    with run_gateway(tmp_path_factory.mktemp("gateway"), model.address, page.address) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def impatient(model: Server, page: Server, tmp_path_factory) -> Gateway:
    """A gateway with SHORTER_TIMEOUTS."""
    folder = tmp_path_factory.mktemp("impatient")
    with run_gateway(folder, model.address, page.address, etc=with_shorter_timeouts(folder)) as gateway:
        yield gateway


@pytest.fixture
def lonely_gateway(tmp_path) -> Gateway:
    """A gateway without model and page: connections to both fail."""
    with run_gateway(tmp_path, "127.0.0.1:9", "127.0.0.1:9") as gateway:
        yield gateway
