"""`make retrain` reads the labels of the running system; without one, those of a file."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ops.native import postgres
from ops.native.parts import database_environment
from ops.versions.state import RELEASED
from tests.system.running import ROOT, RunningSystem

# An id of the training split, which has three quarters of all ids.
TRAINING_ID = "00000000-0000-4000-8000-000000000000"
COMPARE = """
import sys
from pathlib import Path

import settings
from training.retrain.labelled import fetch, read

here = read(Path(sys.argv[1]))
there = fetch(settings.DATABASE_URL.read(), settings.DATABASE_PASSWORD.read())
assert list(here.ids) == list(there.ids)
assert here.labels() == there.labels()
assert (here.digits.images == there.digits.images).all()
print(len(here), "drawings agree")
"""


@pytest.fixture
def labelled(own_system: RunningSystem) -> RunningSystem:
    """`own_system` with one labelled drawing."""
    own_system.rows("DELETE FROM predictions RETURNING id")  # labels of other tests
    seven = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
    answer = own_system.predict(seven).json()
    named = {name: answer[name] for name in ("confidence", "probabilities", "model_version")}
    label = {"true_label": 7, "labelled_at": datetime.now(UTC), "revision": 2}
    own_system.insert(id=TRAINING_ID, prediction=answer["digit"], drawing=seven, **named, **label)
    return own_system


def _assert_too_few(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "1 labelled drawings: 1 for training (100 needed), 0 for evaluation (20 needed). "
        "Draw and label more on the page.",
        f"Retraining stopped; {RELEASED} stays the default.",
    ]


@pytest.mark.slow  # the next test runs the same command on a file, and reads the labels of the database
def test_with_too_few_labels_the_error_names_the_needed_number(labelled: RunningSystem):
    _assert_too_few(labelled.ops("retrain"))


def test_another_machine_gets_the_labels_from_the_store(labelled: RunningSystem, make, tmp_path):
    pushed = make("push-labels")
    assert pushed.returncode == 0, pushed.stderr
    name = pushed.stdout.split()[0]
    assert name in make("pull-labels").stdout
    pulled = make("pull-labels", f"NAME={name}")
    assert pulled.returncode == 0, pulled.stderr
    assert make("push-labels").stdout == f"{name} is already in the store\n"
    assert [path.name for path in labelled.system.labels.iterdir()] == [name]
    file = labelled.system.labels / name
    compared = subprocess.run(
        [labelled.system.python("train"), "-c", COMPARE, file],
        cwd=ROOT,
        env=labelled.environment | database_environment(labelled.system, postgres.PAGE),
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.stdout == "1 drawings agree\n", compared.stderr
    # Another machine has no database and no secrets.
    elsewhere = replace(labelled, environment=labelled.environment | {"STATE_DIR": str(tmp_path)})
    _assert_too_few(elsewhere.ops("retrain", str(file)))
