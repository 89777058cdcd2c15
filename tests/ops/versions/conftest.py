"""An S3 store for the tests of versions that several machines share."""

from collections.abc import Iterator

import pytest

from tests.ops.s3 import bucket_settings, s3_server


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def shared(s3_address, monkeypatch) -> None:
    """The settings of a store with an empty bucket."""
    for name, value in {"VERSIONS_IN": "s3", **bucket_settings(s3_address)}.items():
        monkeypatch.setenv(name, value)
