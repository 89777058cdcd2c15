"""Model quality in SQL, compared with manual calculations and on answers of real predictors."""

import json
import statistics
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.system import ROOT
from tests.sql.test_predictions import insert
from ui.insights import Share, drifts, estimates

FEATURES = {"digit": 10, "confidence": 3, "digit_score": 4, "ink_share": 10}
SERVE = ROOT / ".venv" / "serve" / "bin" / "python"
DRAWN = Path(__file__).with_name("drawn_features.py")


def _now(**ago):
    return datetime.now(UTC) - timedelta(**ago)


def _insert_drawings(page, drawings, **changes):
    """Insert rows with these changes, by default drawn a minute ago."""
    for drawing in drawings:
        insert(page, **{"id": uuid.uuid4(), "created_at": _now(minutes=1)} | changes | drawing)


def _write_reference(owner, version, values):
    owner.execute(
        "INSERT INTO model_reference SELECT %s, r.* FROM reference_shares(%s) AS r",
        (version, json.dumps(values)),
    )


@pytest.mark.parametrize(
    ("correct", "labelled", "lower", "upper"),
    # Values of statsmodels' proportion_confint(..., method="wilson").
    [(9, 10, 0.5958, 0.9821), (97, 100, 0.9155, 0.9897), (0, 10, 0.0, 0.2775), (1, 1, 0.2065, 1.0)],
)
def test_the_interval_is_wilson_s_as_on_the_page(page, correct, labelled, lower, upper):
    found = page.execute("SELECT lower, upper FROM wilson_interval(%s, %s)", (correct, labelled)).fetchone()
    assert found == pytest.approx((lower, upper), abs=1e-4)
    assert found == pytest.approx(Share(correct, labelled).interval, abs=1e-9)


def test_accuracy_uses_the_labels_of_a_week_by_version_and_day(page):
    today, before, old = _now(), _now(days=6), _now(days=7)
    label = {"labelled_at": today}
    _insert_drawings(
        page, [{"true_label": 7, **label}] * 8 + [{"true_label": 1, **label}, {}], created_at=today
    )
    _insert_drawings(page, [{"true_label": 1, **label}], created_at=before)
    _insert_drawings(page, [{"true_label": 1, **label}] * 5, created_at=old)
    _insert_drawings(page, [{}], created_at=today, model_version="1.1")  # not labelled
    [row] = page.execute("SELECT * FROM model_accuracy").fetchall()
    assert row[:3] == ("1.0", 10, 8)
    assert row[3:] == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    days = page.execute(
        "SELECT day, labelled, correct, lower FROM model_accuracy_by_day ORDER BY 1"
    ).fetchall()
    assert [day[:3] for day in days] == [(old.date(), 5, 0), (before.date(), 1, 0), (today.date(), 9, 8)]
    assert days[2][3] == pytest.approx(0.5650, abs=1e-4)


def test_estimated_accuracy_is_the_mean_confidence_of_a_week(page):
    _insert_drawings(page, [{"confidence": 0.9}, {"confidence": 0.7}, {"confidence": 0.2, "is_digit": False}])
    _insert_drawings(page, [{"confidence": 0.2}], created_at=_now(days=8))
    _insert_drawings(page, [{"confidence": 0.5}], model_version="1.1")
    found = page.execute("SELECT * FROM model_estimated_accuracy ORDER BY 1").fetchall()
    assert found == [("1.0", 3, pytest.approx(0.6)), ("1.1", 1, pytest.approx(0.5))]
    assert estimates(page, _now(days=1).date(), "1.0") == {"1.0": pytest.approx(0.6)}
    assert estimates(page) == {"1.0": pytest.approx(0.5), "1.1": pytest.approx(0.5)}


def test_calibrated_confidence_estimates_the_accuracy(page):
    # Nine of ten answers with confidence 0.9 are correct, and six of ten with 0.6.
    label = {"labelled_at": _now()}
    for confidence, right in ((0.9, 9), (0.6, 6)):
        answers = [
            {"true_label": 7 if n < right else 1, "confidence": confidence, **label} for n in range(10)
        ]
        _insert_drawings(page, answers)
    [(accuracy,)] = page.execute("SELECT accuracy FROM model_accuracy")
    assert accuracy == pytest.approx(estimates(page)["1.0"]) == 0.75


def test_a_reference_has_every_bin_and_sums_to_one(page, owner):
    values = {"digit": [7] * 99, "confidence": [0.999, 1.0, 0.4], "digit_score": [0.903], "ink_share": []}
    _write_reference(owner, "1.0", values)
    found = page.execute("SELECT feature, bin, share FROM model_reference").fetchall()
    shares = {(feature, place): share for feature, place, share in found}
    for feature, bins in FEATURES.items():
        of_feature = [share for (name, _), share in shares.items() if name == feature]
        assert len(of_feature) == (bins if values[feature] else 0)
        assert not of_feature or sum(of_feature) == pytest.approx(1)
    # Half a drawing is added to each bin: (99 + 0.5) / (99 + 10 * 0.5), 0.5 / 104, 2.5 / 4.5.
    assert shares["digit", 7] == pytest.approx(0.956731, abs=1e-6)
    assert shares["digit", 0] == pytest.approx(0.004808, abs=1e-6)
    assert shares["confidence", 2] == pytest.approx(2.5 / 4.5)
    assert shares["digit_score", 2] > shares["digit_score", 1]  # an edge belongs to the bin above it


def test_psi_equals_a_manual_calculation(page, owner):
    owner.execute("INSERT INTO model_reference SELECT '1.0', 'digit', n, 0.1 FROM generate_series(0, 9) AS n")
    digits = [0] * 220 + [digit for digit in range(1, 10) for _ in range(20)]
    _insert_drawings(page, [{"prediction": digit} for digit in digits])
    # Shares 220.5 / 405 and nine times 20.5 / 405: 0.444444 * ln 5.444444 + 9 * -0.049383 * ln 0.506173
    [drift] = drifts(page)
    assert (drift.model_version, drift.feature, drift.drawings) == ("1.0", "digit", 400)
    assert drift.psi == pytest.approx(1.0558, abs=1e-4)
    assert drift.state == "drifted"
    assert drifts(page, "1.1") == []


@pytest.mark.parametrize(
    ("more", "psi", "state"),
    # 400 drawings, as many of 0 to 4 more as of 5 to 9 fewer: five times (40 + more + 0.5) / 405 and its opposite.
    [(0, 0.0, "stable"), (9, 0.0502, "stable"), (14, 0.1246, "shifted"), (22, 0.3307, "drifted")],
)
def test_a_psi_has_a_state(page, owner, more, psi, state):
    owner.execute("INSERT INTO model_reference SELECT '1.0', 'digit', n, 0.1 FROM generate_series(0, 9) AS n")
    digits = [digit for digit in range(10) for _ in range(40 + (more if digit < 5 else -more))]
    _insert_drawings(page, [{"prediction": digit} for digit in digits])
    [drift] = drifts(page)
    assert (drift.psi, drift.state) == (pytest.approx(psi, abs=1e-4), state)


def test_drift_needs_a_reference_and_enough_drawings(page, owner):
    _insert_drawings(page, [{}] * 199)
    assert drifts(page) == []
    _write_reference(owner, "1.0", {"digit": [7], "ink_share": [0.1]})
    assert drifts(page) == []
    _insert_drawings(page, [{}], created_at=_now(hours=25))
    assert drifts(page) == []
    _insert_drawings(page, [{}])
    assert [drift.feature for drift in drifts(page)] == ["digit"]  # these drawings have no ink share


@pytest.fixture(scope="module")
def drawn():
    """The released model's answers for digits drawn in several ways, by way (tests/sql/drawn_features.py)."""
    if not SERVE.exists():
        pytest.skip("the serving environment is missing: make test-handler")
    done = subprocess.run([SERVE, DRAWN], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def psi(page, owner, drawn):
    """The PSI of each feature for drawings of one way."""

    def of(way):
        if drawn[way] is None:
            pytest.skip("there is no ../shared/drawn")
        _write_reference(owner, "1.3", drawn["reference"])
        names = {"digit": "prediction", "confidence": "confidence"}
        columns = [names.get(feature, feature) for feature in FEATURES]
        rows = zip(*(drawn[way][feature] for feature in FEATURES), strict=True)
        _insert_drawings(page, [dict(zip(columns, row, strict=True)) for row in rows], model_version="1.3")
        found = {drift.feature: drift.psi for drift in drifts(page)}
        assert found.keys() == FEATURES.keys()
        return found

    return of


@pytest.mark.parametrize("way", ["as before", "other writers", "inverted picture"])
def test_unchanged_drawings_show_no_drift(psi, way):
    assert max(psi(way).values()) < 0.1


@pytest.mark.parametrize(
    ("way", "features"),
    [
        ("thick brush", {"ink_share"}),
        ("thin brush", {"ink_share"}),
        ("rotated", {"digit", "confidence", "digit_score"}),
        ("inverted input", {"digit", "confidence", "digit_score", "ink_share"}),
        ("ink in the paper's colour", {"digit", "confidence", "digit_score", "ink_share"}),
        ("broken brush", {"ink_share"}),  # the released model still reads these
        ("one digit only", {"digit"}),
    ],
)
def test_a_real_drift_is_found(psi, way, features):
    found = psi(way)
    assert {feature for feature, value in found.items() if value > 0.25} >= features, found


def test_the_bins_are_deciles_of_the_released_reference(owner, drawn):
    edges = dict(owner.execute("SELECT feature, edges FROM drift_features").fetchall())
    for feature in FEATURES.keys() - {"digit"}:
        deciles = statistics.quantiles(drawn["reference"][feature], n=10)
        if feature == "digit_score":
            deciles = deciles[:3]
        rounded = sorted({round(decile, 3) for decile in deciles} - {1.0})
        # The last digit depends on the processor, and the digit score on the network's file, float32 or int8.
        assert edges[feature] == pytest.approx(rounded, abs=0.02 if feature == "digit_score" else 0.0011)
