"""`make retrain` beside a running system: what it reads are that system's labels."""

from ops.versions.state import RELEASED
from tests.system.running import ROOT, RunningSystem

# One of the three quarters of ids that do not only judge.
TO_LEARN_FROM = "00000000-0000-4000-8000-000000000000"


def test_with_too_few_labels_nothing_is_trained_and_the_way_out_is_named(own_system: RunningSystem):
    own_system.rows("DELETE FROM predictions RETURNING id")  # labels of other tests
    seven = (ROOT / "training" / "known_digits" / "7.png").read_bytes()
    answer = own_system.predict(seven).json()
    own_system.rows(
        """INSERT INTO predictions VALUES (%s, now(), %s, %s, %s, true, 1, %s, 1, 7, now(), %s, 2)
        RETURNING id""",
        TO_LEARN_FROM,
        *(answer[name] for name in ("digit", "confidence", "probabilities", "model_version")),
        seven,
    )
    done = own_system.ops("retrain")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "1 labelled drawings: 1 for training (100 needed), 0 for evaluation (20 needed). "
        "Draw and label more on the page.",
        f"Retraining stopped; {RELEASED} stays the default.",
    ]
