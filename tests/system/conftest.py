"""The system under test: started once for all tests in this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import RunningSystem, started


@pytest.fixture(scope="session")
def model_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store that is empty at first: the first start archives the released model."""
    return tmp_path_factory.mktemp("model_store")


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, model_store: Path) -> Iterator[RunningSystem]:
    with started(tmp_path_factory.mktemp("system") / "var", model_store) as running:
        yield running
