"""`make swap FROM=s3` downloads, checks and serves an archive that is only on an S3 server."""

from fixtures import archives
from ops.versions.state import RELEASED, archive_name
from tests.system.running import ROOT, RunningSystem

VERSION = "7.8"


def test_swap_serves_a_version_from_s3(own_system: RunningSystem, make):
    released = own_system.system.model_store / archive_name(RELEASED)
    content = archives.copy(released, VERSION).read_bytes()
    archive = own_system.system.model_store / archive_name(VERSION)
    missing = make("swap", f"VERSION={VERSION}1", "FROM=s3")
    assert missing.returncode != 0
    assert f"{archive_name(VERSION + '1')} is not in the store" in missing.stderr
    pushed = make("push", f"VERSION={VERSION}")
    assert pushed.returncode == 0, pushed.stderr
    archive.unlink()
    swapped = make("swap", f"VERSION={VERSION}", "FROM=s3")
    assert swapped.returncode == 0, swapped.stdout + swapped.stderr
    assert "is pulled" in swapped.stdout
    assert f"{VERSION} is the default now." in swapped.stdout
    assert archive.read_bytes() == content
    seven = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
    assert own_system.predict(seven).json()["model_version"] == VERSION
    back = make("swap", f"VERSION={RELEASED}")
    assert back.returncode == 0, back.stderr
    archive.unlink()
