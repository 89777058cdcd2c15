"""`make swap` and similar commands with containers; the served versions survive the containers."""

import json
from collections import Counter

import pytest

from fixtures.waiting import eventually
from ops.versions.state import RELEASED
from tests.containers.deployment import Deployment
from tests.containers.drawn import count_drawings, insert

OTHER = "1.0"


@pytest.fixture(scope="module", autouse=True)
def other(deployment: Deployment) -> None:
    """Add another version to the model store."""
    deployment.with_another_version()


def _versions(deployment: Deployment, requests: int = 40) -> Counter[str]:
    return Counter(deployment.answering_version() for _ in range(requests))


def test_a_version_is_swapped_and_rolled_back(deployment: Deployment):
    assert _versions(deployment, 5) == {RELEASED: 5}
    assert f"{OTHER} is the default now." in deployment.check_make("swap", f"VERSION={OTHER}")
    assert _versions(deployment) == {OTHER: 40}
    assert f"{RELEASED} is the default again." in deployment.check_make("rollback")
    assert _versions(deployment) == {RELEASED: 40}


def test_a_canary_answers_its_share_also_after_a_restart(deployment: Deployment):
    deployment.check_make("canary", f"VERSION={OTHER}", "PERCENT=50")
    counted = _versions(deployment, 100)
    assert 20 <= counted[OTHER] <= 80
    deployment.compose("restart")
    deployment.wait_until_healthy()

    def both_answer() -> bool:
        return len(_versions(deployment, 20)) == 2

    eventually(both_answer, 60)
    output = deployment.check_make("models")
    assert "default, 50 %" in output
    assert "canary, 50 %" in output
    assert f"{OTHER} is the default now." in deployment.check_make("promote")
    assert _versions(deployment) == {OTHER: 40}
    deployment.check_make("swap", f"VERSION={RELEASED}")
    state = json.loads(deployment.shell("torchserve", "cat /state/versions.json").stdout)
    assert state == {"default": RELEASED, "previous": OTHER, "split": None, "candidate": None}


def test_an_unservable_version_gets_a_one_line_error(deployment: Deployment):
    done = deployment.make("swap", "VERSION=9.9")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "9.9 is not served: there is no /models/mnist-9.9.mar (make archive VERSION=9.9). "
        f"{RELEASED} stays the default."
    )
    done = deployment.make("canary", f"VERSION={OTHER}")
    assert done.stderr.splitlines()[0].startswith("PERCENT is missing, for example: make canary")
    assert _versions(deployment, 5) == {RELEASED: 5}


def test_prune_reports_the_number_of_removed_drawings(deployment: Deployment):
    insert(deployment, 3)
    (old,) = deployment.rows(
        "SELECT count(*) FROM predictions WHERE created_at < now() - interval '30 days'"
    )[0]
    assert old >= 3
    left = count_drawings(deployment) - old
    assert deployment.check_make("prune", "DAYS=30").startswith(f"Removed {old} drawings older than 30 days")
    assert count_drawings(deployment) == left
