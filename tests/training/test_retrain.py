"""From labels to a challenger and a report: on a few drawings and in seconds, everything but the numbers."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from handler.model import DigitClassifier
from handler.predictor import Predictor
from tests.training import synthetic
from training import data, drawings, judge, onnx_export, retrain
from training.archive import RELEASED_CHECKPOINT
from training.labelled import Labelled, LabelledError, is_held

LABELLED = 260
# A blank among those to learn from, or it would never be screened.
BLANK = next(number for number in range(LABELLED) if not is_held(f"drawing-{number}"))


def _make_little(monkeypatch: pytest.MonkeyPatch) -> Labelled:
    """Few digits to learn from, few steps, few drawings to judge by, and labelled ones that say nothing new: these."""
    monkeypatch.setattr(data, "load", lambda *, train: synthetic.digits(150 if train else 0))
    monkeypatch.setattr(drawings, "generate_drawings", synthetic.generate_cached)
    monkeypatch.setattr(judge, "kept", lambda _: {"moved": 1.0})
    monkeypatch.setattr(judge, "called_a_digit", lambda _: {"blank": 0.0})
    recipe = synthetic.quick(epochs=1, learning_rate=1e-5, labelled_share=0.2, validation_images=50)
    monkeypatch.setattr(retrain, "RECIPE", recipe)
    monkeypatch.setattr(retrain.pen_data, "missing", lambda _: ["every file"])
    monkeypatch.setenv("DATABASE_URL", "postgresql://page@127.0.0.1/mnist")
    monkeypatch.setenv("DATABASE_PASSWORD", "none")
    digits = synthetic.digits(LABELLED)
    digits.images[BLANK] = 0
    labelled = Labelled([f"drawing-{number}" for number in range(LABELLED)], digits)
    monkeypatch.setattr(retrain, "fetch", lambda *_: labelled)
    return labelled


@pytest.fixture
def little(monkeypatch) -> Labelled:
    monkeypatch.setattr(retrain, "export", lambda checkpoint: None)  # it takes half of the time
    return _make_little(monkeypatch)


def _retrain(folder, checkpoint=RELEASED_CHECKPOINT) -> int:
    return retrain.main(["--champion", "1.0", "--checkpoint", str(checkpoint), "--output", str(folder)])


class Lost(NamedTuple):
    """A complete run whose challenger is rejected: its output, and the images that selected and tested it."""

    folder: Path
    labelled: Labelled
    chosen_by: set[bytes]
    judged_by: set[bytes]


@pytest.fixture(scope="module")
def lost(tmp_path_factory) -> Lost:
    folder, chosen_by, judged_by = tmp_path_factory.mktemp("lost"), set(), set()
    describe, what_was_known, judged = retrain.describe, retrain.what_was_known, retrain.judge

    def note(seen, *parts):
        seen.update(image.tobytes() for part in parts for image in part.images)

    def describing(network, by, *others):
        note(chosen_by, by.validation, by.held_out)
        return describe(network, by, *others)

    def comparing(before, after, *by):
        note(chosen_by, *by)
        return what_was_known(before, after, *by)

    def judging(before, after, by):
        note(judged_by, by.validation, by.held_out, by.labelled.digits)
        return judged(before, after, by)

    archive = synthetic.archive(folder / "mnist-1.0.mar", "weights.pt", "weights.onnx")  # as before int8
    with pytest.MonkeyPatch.context() as monkeypatch:
        labelled = _make_little(monkeypatch)
        monkeypatch.setattr(retrain, "describe", describing)
        monkeypatch.setattr(retrain, "what_was_known", comparing)
        monkeypatch.setattr(retrain, "judge", judging)
        monkeypatch.setattr(onnx_export, "calibration_images", synthetic.calibration_images)
        assert _retrain(folder / "out", archive) == retrain.LOST
    return Lost(folder / "out", labelled, chosen_by, judged_by)


def test_a_challenger_that_is_no_better_may_not_follow_and_the_report_says_why(lost: Lost):
    said = (lost.folder / "report.txt").read_text()
    assert "260 new, 0 removed, 0 changed" in said
    assert "labelled drawings, accuracy" in said
    assert "does not replace 1.0: it is not significantly better on labelled drawings" in said
    page = (lost.folder / "report.html").read_text()
    assert "<h2>Left out for manual review</h2>" in page
    assert f"drawing-{BLANK}: blank" in page
    content = torch.load(lost.folder / "challenger.pt", weights_only=True)
    assert content["champion"] == "1.0"
    learned = content["labelled_drawings"]
    assert learned.items() <= lost.labelled.labels().items()
    assert not any(is_held(id_) for id_ in learned)
    for runtime in ("int8", "float32"):
        assert Predictor.load(lost.folder / "challenger.pt", "1.1", runtime).runtime == runtime
    described = json.loads((lost.folder / "challenger.json").read_text())
    assert described["judged"][0]["name"] == "labelled drawings, accuracy"
    assert [epoch.keys() for epoch in described["metrics"]["curve"]] == [{"loss"}]
    assert not (lost.folder / "work").exists()


def test_it_starts_from_the_champion_in_its_archive(lost: Lost):
    before = torch.load(RELEASED_CHECKPOINT, weights_only=True)["state_dict"]
    after = torch.load(lost.folder / "challenger.pt", weights_only=True)["state_dict"]
    for name, weights in before.items():
        if weights.dim() == 4:
            change = (after[name] - weights).norm() / weights.norm()
            assert 0 < change < 0.1, name


def test_what_chose_the_challenger_does_not_judge_it(lost: Lost):
    # Of 50 digits and 100 drawings in held-out styles; and what people drew chooses nothing.
    assert len(lost.chosen_by) == 75
    assert len(lost.judged_by) == 75 + sum(map(is_held, lost.labelled.ids))
    assert not lost.chosen_by & lost.judged_by


def test_a_challenger_that_is_better_may_follow_and_the_labels_that_changed_are_named(
    tmp_path, little, monkeypatch, capsys
):
    last_labels = little.labels() | {"drawing-7": 1}
    (tmp_path / "labels.json").write_text(json.dumps(last_labels))
    monkeypatch.setattr(judge, "gains", lambda *right: 0.01 if len(right[0]) < 100 else 1.0)
    # As if all of the few that judge were won: with so few, judged by nothing else.
    monkeypatch.setattr(judge, "_paired", lambda name, *_: judge.Line(name, 0.9, 1.0, holds=True))
    monkeypatch.setattr(judge, "_calibration", lambda name, *_: judge.Line(name, 0.0, 0.0, holds=True))
    assert _retrain(tmp_path) == 0
    said = capsys.readouterr().out
    assert (tmp_path / "report.txt").read_text().strip() in said
    assert "better on labelled drawings and not worse in any other comparison" in said
    assert "0 new, 0 removed, 1 changed: drawing-7: 1 is now 7" in said


def test_too_few_labels_are_said_with_a_way_out(tmp_path, little, monkeypatch, capsys):
    digits = synthetic.digits(30)
    monkeypatch.setattr(retrain, "fetch", lambda *_: Labelled([str(n) for n in range(30)], digits))
    assert _retrain(tmp_path) == 1
    assert "30 labelled drawings: " in (said := capsys.readouterr().err)
    assert "for evaluation (20 needed). Draw and label more" in said


def test_what_is_not_there_is_said_in_one_line(tmp_path, little, monkeypatch, capsys):
    assert _retrain(tmp_path, tmp_path / "none.mar") == 1
    assert "none.mar' is not a model (file not found)" in capsys.readouterr().err

    def away(*_):
        raise LabelledError("Database unavailable")

    monkeypatch.setattr(retrain, "fetch", away)
    assert _retrain(tmp_path) == 1
    assert capsys.readouterr().err == "Database unavailable\n"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_weights_lie_a_share_of_the_way_between_two_networks(share):
    start, end = DigitClassifier((4, 4, 4, 4, 4)), DigitClassifier((4, 4, 4, 4, 4))
    end.layers[1].num_batches_tracked += 7
    state = retrain.between(start, end, share).state_dict()
    for name, weights in start.state_dict().items():
        if weights.is_floating_point():
            torch.testing.assert_close(state[name], weights + share * (end.state_dict()[name] - weights))
    assert state["layers.1.num_batches_tracked"] == 7


def test_the_labels_of_the_last_run_are_kept_beside_it(tmp_path):
    assert retrain._changed({"a": 1, "b": 2}, tmp_path) == {"new": ["a", "b"], "gone": [], "changed": {}}
    assert retrain._changed({"b": 3}, tmp_path) == {"new": [], "gone": ["a"], "changed": {"b": (2, 3)}}
    assert json.loads((tmp_path / "labels.json").read_text()) == {"b": 3}
    assert np.array_equal(sorted(p.name for p in tmp_path.iterdir()), ["labels.json"])
