"""An S3 store for the tests of versions that several machines share."""

import pytest

from tests.ops.s3 import bucket_settings


@pytest.fixture
def shared(s3_address, monkeypatch) -> None:
    """The settings of a store with an empty bucket."""
    for name, value in {"VERSIONS_IN": "s3", **bucket_settings(s3_address)}.items():
        monkeypatch.setenv(name, value)
