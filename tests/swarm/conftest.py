"""The stack on two nodes, started once; without a container engine or root, the tests are skipped."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import browser, engine
from tests.containers.deployment import copy_checkout
from tests.swarm.nodes import swarm
from tests.swarm.stack import Stack

__all__ = ["browser", "engine"]
# The programs of tests/swarm/nodes.py, beside docker.
PROGRAMS = ("dockerd", "ip", "nsenter", "unshare")


@pytest.fixture(scope="session")
def two_nodes(engine: None) -> None:
    if os.geteuid() != 0:
        pytest.skip("a second node in a network namespace needs root")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(missing)} not installed")


@pytest.fixture(scope="session")
def stack(two_nodes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("node")
    with copy_checkout(tmp_path_factory.mktemp("swarm")) as deployment, swarm(folder) as node:
        stack = Stack(deployment, node)
        try:
            stack.up()
            yield stack
        finally:
            stack.remove()
