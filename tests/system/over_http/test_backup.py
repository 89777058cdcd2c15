"""`make backup`, `make restore` and `make secrets ROTATE=` on a native system. tests/containers has containers."""

import shutil

import psycopg
import pytest

from fixtures.waiting import eventually
from ops.data import secrets
from ops.native import postgres
from tests.system.running import ROOT, RunningSystem


def test_a_restore_after_the_loss_of_var_returns_every_drawing(own_system: RunningSystem, tmp_path):
    for _ in range(20):
        own_system.insert()
    before = own_system.rows("SELECT * FROM predictions ORDER BY id")
    file = str(tmp_path / "kept.tar")
    made = own_system.ops("backup", file)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"{file}: ")
    assert own_system.ops("down").returncode == 0
    shutil.rmtree(own_system.system.state)
    assert own_system.ops("up").returncode == 0
    assert own_system.drawings() == 0
    restored = own_system.ops("restore", file)
    assert restored.returncode == 0, restored.stderr
    assert f"Restored {len(before)} drawings, " in restored.stdout
    assert own_system.rows("SELECT * FROM predictions ORDER BY id") == before
    safety_copy = restored.stdout.split("To return to the state before: make restore FILE=")[1].strip()
    (ROOT / safety_copy).unlink()
    eventually(lambda: own_system.ops("status").returncode == 0)


@pytest.mark.parametrize("role", ["page", "owner"])
def test_a_password_is_rotated_on_a_running_system(own_system: RunningSystem, role):
    name = f"database_{role}_password"
    before = secrets.read(own_system.system, name)
    done = own_system.ops("secrets", name)
    assert done.returncode == 0, done.stderr
    after = secrets.read(own_system.system, name)
    assert after != before
    assert after not in done.stdout
    url = postgres.owner_url(own_system.system) if role == "owner" else postgres.role_url(own_system.system)
    psycopg.connect(url, password=after).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url, password=before)
    eventually(lambda: own_system.ops("status").returncode == 0)
    assert [path.name for path in own_system.system.secrets.glob("*.new")] == []
