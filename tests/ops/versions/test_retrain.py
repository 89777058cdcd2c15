"""The version of a challenger, and the error for a missing champion."""

import pytest

from ops.errors import OpsError
from ops.versions.retrain import next_version, retrain
from ops.versions.state import RELEASED, Versions, archive_name


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ((), f"{RELEASED[:-1]}{int(RELEASED[-1]) + 1}"),
        (("3.9", "3.10"), "3.11"),
        (("2.0-rc1",), "2.1"),
        (("3.4.9",), "3.4.10"),
    ],
)
def test_the_next_version_follows_the_highest(system, versions, expected):
    for version in versions:
        (system.model_store / archive_name(version)).touch()
    assert next_version(system) == expected


def test_retraining_needs_the_archive_of_the_champion(system):
    Versions("7.3").write(system.versions)
    with pytest.raises(OpsError, match=r"mnist-7\.3\.mar is missing; retraining starts from this archive"):
        retrain(system)
    with pytest.raises(OpsError, match=r"mnist-7\.4\.mar is missing; .+ make pull VERSION=7\.4, or "):
        retrain(system, champion="7.4")
