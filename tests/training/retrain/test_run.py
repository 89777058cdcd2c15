"""Short retrainings: from labels to a challenger and a report."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from handler.model import DigitClassifier
from handler.predictor import Predictor
from tests.training import synthetic
from training.archive.pack import RELEASED_CHECKPOINT
from training.data import mnist as data
from training.retrain import judge
from training.retrain import run as retrain
from training.retrain.labelled import Labelled, LabelledError, is_test
from training.train import drawings, onnx_export

LABELLED = 260
# A blank in the training split, because the test split is not screened.
BLANK = next(number for number in range(LABELLED) if not is_test(f"drawing-{number}"))


def _shrink(monkeypatch: pytest.MonkeyPatch) -> Labelled:
    """Small data and few steps; returns labelled drawings without a new style."""
    monkeypatch.setattr(data, "load", lambda *, train: synthetic.digits(150 if train else 0))
    monkeypatch.setattr(drawings, "generate_drawings", synthetic.generate_cached)
    monkeypatch.setattr(judge, "measure_invariance", lambda _: {"moved": 1.0})
    monkeypatch.setattr(judge, "measure_acceptance", lambda _: {"blank": 0.0})
    recipe = synthetic.quick(epochs=1, learning_rate=1e-5, labelled_share=0.2, validation_images=50)
    monkeypatch.setattr(retrain, "RECIPE", recipe)
    monkeypatch.setattr(retrain.pen_data, "missing_files", lambda _: ["every file"])
    monkeypatch.setenv("DATABASE_URL", "postgresql://page@127.0.0.1/mnist")
    monkeypatch.setenv("DATABASE_PASSWORD", "none")
    digits = synthetic.digits(LABELLED)
    digits.images[BLANK] = 0
    labelled = Labelled([f"drawing-{number}" for number in range(LABELLED)], digits)
    monkeypatch.setattr(retrain, "fetch", lambda *_: labelled)
    return labelled


@pytest.fixture
def small(monkeypatch) -> Labelled:
    monkeypatch.setattr(retrain, "export", lambda checkpoint: None)  # half of the time
    return _shrink(monkeypatch)


def _retrain(folder, checkpoint=RELEASED_CHECKPOINT, *more: str) -> int:
    return retrain.main(
        ["--champion", "1.0", "--checkpoint", str(checkpoint), "--output", str(folder), *more]
    )


class Rejected(NamedTuple):
    """A complete run whose challenger is rejected: its output, and the images that selected and tested it."""

    folder: Path
    labelled: Labelled
    selection: set[bytes]
    test: set[bytes]


@pytest.fixture(scope="module")
def rejected(tmp_path_factory) -> Rejected:
    folder, selection, test = tmp_path_factory.mktemp("rejected"), set(), set()
    describe, compare_held_out, judged = retrain.describe, retrain.compare_held_out, retrain.judge

    def record(seen, *parts):
        seen.update(image.tobytes() for part in parts for image in part.images)

    def describe_and_record(network, by, *others):
        record(selection, by.validation, by.held_out)
        return describe(network, by, *others)

    def compare_and_record(before, after, by):
        record(selection, by.validation, by.held_out)
        return compare_held_out(before, after, by)

    def judge_and_record(before, after, by, labelled):
        record(test, by.validation, by.held_out, labelled.digits)
        return judged(before, after, by, labelled)

    archive = synthetic.archive(folder / "mnist-1.0.mar", "weights.pt", "weights.onnx")  # as before int8
    with pytest.MonkeyPatch.context() as monkeypatch:
        labelled = _shrink(monkeypatch)
        monkeypatch.setattr(retrain, "describe", describe_and_record)
        monkeypatch.setattr(retrain, "compare_held_out", compare_and_record)
        monkeypatch.setattr(retrain, "judge", judge_and_record)
        monkeypatch.setattr(onnx_export, "calibration_images", synthetic.calibration_images)
        assert _retrain(folder / "out", archive) == retrain.REJECTED
    return Rejected(folder / "out", labelled, selection, test)


def test_a_challenger_that_is_not_better_is_rejected_with_the_reason(rejected: Rejected):
    said = (rejected.folder / "report.txt").read_text()
    assert "260 new, 0 removed, 0 changed" in said
    assert "labelled drawings, accuracy" in said
    assert "does not replace 1.0: it is not significantly better on labelled drawings" in said
    page = (rejected.folder / "report.html").read_text()
    assert "<h2>Left out for manual review</h2>" in page
    assert f"drawing-{BLANK}: blank" in page
    content = torch.load(rejected.folder / "challenger.pt", weights_only=True)
    assert content["champion"] == "1.0"
    learned = content["labelled_drawings"]
    assert learned.items() <= rejected.labelled.labels().items()
    assert not any(is_test(id_) for id_ in learned)
    for runtime in ("int8", "float32"):
        assert Predictor.load(rejected.folder / "challenger.pt", "1.1", runtime).runtime == runtime
    described = json.loads((rejected.folder / "challenger.json").read_text())
    assert described["judged"][0]["name"] == "labelled drawings, accuracy"
    assert [epoch.keys() for epoch in described["metrics"]["curve"]] == [{"loss"}]
    assert not (rejected.folder / "work").exists()


def test_training_starts_from_the_champion_in_its_archive(rejected: Rejected):
    before = torch.load(RELEASED_CHECKPOINT, weights_only=True)["state_dict"]
    after = torch.load(rejected.folder / "challenger.pt", weights_only=True)["state_dict"]
    for name, weights in before.items():
        if weights.dim() == 4:
            change = (after[name] - weights).norm() / weights.norm()
            assert 0 < change < 0.1, name


def test_selection_data_and_test_data_are_disjoint(rejected: Rejected):
    # Half of 50 digits and 100 drawings in held-out styles. Labelled drawings select nothing.
    assert len(rejected.selection) == 75
    assert len(rejected.test) == 75 + sum(map(is_test, rejected.labelled.ids))
    assert not rejected.selection & rejected.test


def test_a_better_challenger_wins_and_the_report_names_changed_labels(tmp_path, small, monkeypatch, capsys):
    last_labels = small.labels() | {"drawing-7": 1}
    (tmp_path / "labels.json").write_text(json.dumps(last_labels))
    monkeypatch.setattr(judge, "mcnemar_p_value", lambda *right: 0.01 if len(right[0]) < 100 else 1.0)
    # Every comparison passes: the test split is too small for a real result.
    monkeypatch.setattr(
        judge, "_compare_answers", lambda name, *_: judge.Comparison(name, 0.9, 1.0, holds=True)
    )
    monkeypatch.setattr(
        judge, "_compare_calibration", lambda name, *_: judge.Comparison(name, 0.0, 0.0, holds=True)
    )
    assert _retrain(tmp_path) == 0
    said = capsys.readouterr().out
    assert (tmp_path / "report.txt").read_text().strip() in said
    assert "better on labelled drawings and not worse in any other comparison" in said
    assert "0 new, 0 removed, 1 changed: drawing-7: 1 is now 7" in said


def test_too_few_labels_are_reported_with_counts(tmp_path, small, monkeypatch, capsys):
    digits = synthetic.digits(30)
    monkeypatch.setattr(retrain, "fetch", lambda *_: Labelled([str(n) for n in range(30)], digits))
    assert _retrain(tmp_path) == 1
    assert "30 labelled drawings: " in (said := capsys.readouterr().err)
    assert "for evaluation (20 needed). Draw and label more" in said


def test_a_missing_model_or_database_is_reported_in_one_line(tmp_path, small, monkeypatch, capsys):
    assert _retrain(tmp_path, tmp_path / "none.mar") == 1
    assert "none.mar' is not a model (file not found)" in capsys.readouterr().err

    def fail(*_):
        raise LabelledError("Database unavailable")

    monkeypatch.setattr(retrain, "fetch", fail)
    assert _retrain(tmp_path) == 1
    assert capsys.readouterr().err == "Database unavailable\n"


def test_labels_of_a_file_need_no_database(tmp_path, small, monkeypatch, capsys):
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("DATABASE_PASSWORD")
    monkeypatch.delattr(retrain, "fetch")
    few = Labelled([str(number) for number in range(30)], synthetic.digits(30))
    monkeypatch.setattr(retrain, "read", {Path("few.zip"): few}.get)
    assert _retrain(tmp_path, RELEASED_CHECKPOINT, "--labels", "few.zip") == 1
    assert "30 labelled drawings: " in capsys.readouterr().err


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
def test_weights_are_interpolated(factor):
    start, end = DigitClassifier((4, 4, 4, 4, 4)), DigitClassifier((4, 4, 4, 4, 4))
    end.layers[1].num_batches_tracked += 7
    state = retrain.interpolate_weights(start, end, factor).state_dict()
    for name, weights in start.state_dict().items():
        if weights.is_floating_point():
            torch.testing.assert_close(state[name], weights + factor * (end.state_dict()[name] - weights))
    assert state["layers.1.num_batches_tracked"] == 7


def test_labels_are_saved_for_the_next_run(tmp_path):
    assert retrain._update_labels({"a": 1, "b": 2}, tmp_path) == {
        "new": ["a", "b"],
        "gone": [],
        "changed": {},
    }
    assert retrain._update_labels({"b": 3}, tmp_path) == {"new": [], "gone": ["a"], "changed": {"b": (2, 3)}}
    assert json.loads((tmp_path / "labels.json").read_text()) == {"b": 3}
    assert np.array_equal(sorted(p.name for p in tmp_path.iterdir()), ["labels.json"])
