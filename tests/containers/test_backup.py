"""`make backup` and `make restore` recover a server that lost all of its volumes."""

import re
from pathlib import Path

import pytest

from ops.versions.state import RELEASED
from tests.containers.deployment import Deployment
from tests.containers.drawn import count_drawings, insert

ROWS = 40


@pytest.fixture
def backup(deployment: Deployment) -> str:
    """A backup file with ROWS more labelled drawings, another default version and a canary."""
    insert(deployment, ROWS)
    _serve_the_released(deployment)
    deployment.with_another_version()
    deployment.check_make("swap", "VERSION=1.0")
    deployment.check_make("canary", f"VERSION={RELEASED}", "PERCENT=50")
    output = deployment.check_make("backup", "FILE=backups/kept.tar")
    assert output.startswith("backups/kept.tar: ")
    assert (deployment.folder / "backups/kept.tar").stat().st_mode & 0o777 == 0o600
    return "backups/kept.tar"


@pytest.fixture(scope="module", autouse=True)
def at_last(deployment: Deployment):
    """Reset to the released version for other tests."""
    yield
    _serve_the_released(deployment)


def _serve_the_released(deployment: Deployment) -> None:
    deployment.make("promote")
    if _versions(deployment) != {RELEASED}:
        deployment.check_make("swap", f"VERSION={RELEASED}")


def _versions(deployment: Deployment) -> set[str]:
    return {deployment.answering_version() for _ in range(30)}


def test_a_restore_recovers_everything_after_the_loss_of_all_volumes(deployment: Deployment, backup: str):
    kept = deployment.rows("SELECT id, true_label, revision, drawing FROM predictions ORDER BY id")
    deployment.check_make("down")
    deployment.compose("--profile", "*", "down", "--volumes")
    deployment.check_make("up")
    deployment.wait_until_healthy()
    (deployment.folder / "self-signed.pem").unlink(missing_ok=True)
    assert count_drawings(deployment) == 0
    assert _versions(deployment) == {RELEASED}
    output = deployment.check_make("restore", f"FILE={backup}")
    assert f"Restored {len(kept)} drawings" in output
    assert re.search(
        r"To return to the state before: make restore FILE=backups/before-restore-\S+\.tar$", output
    )
    deployment.wait_until_healthy()
    assert deployment.rows("SELECT id, true_label, revision, drawing FROM predictions ORDER BY id") == kept
    assert _versions(deployment) == {"1.0", RELEASED}
    assert "default, 50 %" in deployment.check_make("models")


def test_an_invalid_backup_changes_nothing(deployment: Deployment, backup: str):
    insert(deployment, 1)
    before, saved = count_drawings(deployment), _saved(deployment)
    whole = (deployment.folder / backup).read_bytes()
    (deployment.folder / "cut.tar").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[1000] ^= 255
    (deployment.folder / "flipped.tar").write_bytes(flipped)
    for name, output in (
        ("cut.tar", "FILE is not a complete backup"),
        ("flipped.tar", "database.dump is damaged in the backup: nothing is restored."),
        ("README.md", "FILE is not a complete backup"),
        ("nowhere.tar", "FILE 'nowhere.tar' is not a readable file"),
    ):
        done = deployment.make("restore", f"FILE={name}")
        assert done.returncode == 2
        assert output in done.stderr
    assert count_drawings(deployment) == before
    assert _saved(deployment) == saved


def _saved(deployment: Deployment) -> set[Path]:
    """The backups that restores made before any change."""
    return set((deployment.folder / "backups").glob("before-restore-*"))
