"""MONITORING=1 in containers: the profiles that ops/containers.sh passes to compose."""

import os
import subprocess

import pytest

from tests.documents import ROOT

# Stands for docker: it prints the profiles that compose would start.
DOCKER = '#!/bin/sh\nprintf "profiles <%s>\\n" "$COMPOSE_PROFILES"\n'


def _profiles(folder, **settings: str) -> str:
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "MONITORING"}
    done = subprocess.run(
        [ROOT / "ops" / "containers.sh", "logs"],
        env={**environment, "PATH": f"{folder}:{os.environ['PATH']}", **settings},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("settings", "profiles"),
    [
        ({}, "<>"),
        ({"MONITORING": "0"}, "<>"),
        ({"MONITORING": "1"}, "<monitoring>"),
        ({"MONITORING": "1", "COMPOSE_PROFILES": "registry"}, "<registry,monitoring>"),
    ],
)
def test_the_profile_is_added_only_with_monitoring(tmp_path, settings, profiles):
    assert _profiles(tmp_path, **settings) == f"profiles {profiles}"
