"""What `make up` makes by itself before it starts anything, and what it refuses to."""

import pytest

from ops.errors import OpsError
from ops.up import _version_to_archive
from ops.versions import RELEASED, Versions, archive_name


def test_the_released_model_is_archived_once(system):
    assert _version_to_archive(system) == RELEASED
    (system.model_store / archive_name(RELEASED)).touch()
    assert _version_to_archive(system) is None


def test_another_version_is_never_made_of_the_released_one(system):
    Versions("7.3", previous=RELEASED).write(system.versions)
    with pytest.raises(
        OpsError,
        match=r"mnist-7\.3\.mar is missing, but \S+ names version 7\.3 as the default: restore the archive",
    ):
        _version_to_archive(system)
    (system.model_store / archive_name("7.3")).touch()
    assert _version_to_archive(system) is None
