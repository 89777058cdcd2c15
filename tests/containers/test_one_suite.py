"""The tests of the running system, run against the containers: one suite, two targets."""

import os
import re
import subprocess
import sys

import pytest

from tests.containers.deployment import ROOT, Deployment

# Tests that must pass and must not be skipped.
FEWEST = {"over_http": 90, "in_browser": 20}


@pytest.mark.parametrize("suite", FEWEST)
def test_the_native_suite_passes_against_the_containers(deployment: Deployment, suite):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "SYSTEM_ADDRESS": deployment.address,
        "SYSTEM_DATABASE": deployment.database,
        "REQUESTS_CA_BUNDLE": str(deployment.certificate),
        "CURL_CA_BUNDLE": str(deployment.certificate),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/system/{suite}"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    print(done.stdout[-3000:])
    assert done.returncode == 0, done.stdout[-10_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= FEWEST[suite]
