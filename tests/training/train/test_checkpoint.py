"""A checkpoint is written atomically and has metrics of the selection data."""

import json

import numpy as np
import pytest
import torch

from handler.model import DigitClassifier
from handler.predictor import digit_scores
from tests.training import synthetic
from training.data import pen_data
from training.strokes.generate import FIRST_WRITER_STYLE, NO_DIGIT, Drawings
from training.train import checkpoint
from training.train.checkpoint import EvaluationData, compute_logits, describe, write, write_description


def test_it_is_written_atomically(tmp_path):
    path = tmp_path / "model.pt"
    write({"epoch": 1}, path)
    with pytest.raises((AttributeError, TypeError)):
        write({"epoch": 2, "unpicklable": (step for step in ())}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}


def test_files_of_an_earlier_checkpoint_are_deleted(tmp_path):
    beside = [tmp_path / f"model.{suffix}" for suffix in ("onnx", "int8.onnx", "json")]
    for path in beside:
        path.touch()
    write({"epoch": 1}, tmp_path / "model.pt")
    assert not any(path.exists() for path in beside)


def test_its_description_has_everything_except_the_weights(tmp_path):
    write_description({"state_dict": object(), "metrics": {"loss": 0.5}}, tmp_path / "model.pt")
    assert json.loads((tmp_path / "model.json").read_text()) == {"metrics": {"loss": 0.5}}


class _Sure(DigitClassifier):
    """Predicts the label in the first pixel, as a perfect network; 10 is "no digit"."""

    def forward(self, images):
        labels = (images[:, 0, 0, 0] * 255).round().long()
        return torch.nn.functional.one_hot(labels, NO_DIGIT + 1).float() * 9


def _mark(labels: np.ndarray) -> np.ndarray:
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0] = labels
    return images


def _selection(seen, labels, styles) -> EvaluationData:
    """A validation split without errors, and held-out drawings with these predictions, labels and styles."""
    digits = np.arange(40) % 10
    return EvaluationData(synthetic.Digits(_mark(digits), digits), Drawings(_mark(seen), labels, styles))


def test_its_metrics_are_measured_on_validation_and_held_out_styles():
    held_out = np.array([*range(10), *[NO_DIGIT] * 10])
    seen = held_out.copy()
    seen[[0, 1]] = [5, 6]  # two digits are misread,
    seen[-1] = 3  # and one non-digit is accepted
    selection = _selection(seen, held_out, np.zeros(20, np.int64))
    content = describe(_Sure(), selection, synthetic.quick(), "a revision")
    metrics = content["metrics"]
    assert metrics["validation_accuracy"] == 1.0
    assert metrics["held_out_accuracy"] == 0.8
    assert metrics["held_out_area_under_curve"] == pytest.approx(0.95, abs=0.01)  # a tie with the digits
    assert metrics["held_out_none_called_digit"] == pytest.approx(0.1)
    assert content["git_revision"] == "a revision"


def test_held_out_writers_are_a_separate_group():
    labels = np.array([*range(10), *range(10), *[NO_DIGIT] * 5])
    seen = labels.copy()
    seen[10:13] = [5, 6, 7]
    selection = _selection(seen, labels, np.array([0] * 10 + [FIRST_WRITER_STYLE] * 15))
    metrics = describe(_Sure(), selection, synthetic.quick(), "a revision")["metrics"]
    accuracies = [metrics[f"{name}_accuracy"] for name in ("validation", "held_out", "people")]
    assert accuracies == [1.0, 1.0, 0.7]
    assert metrics["people_loss"] > 2 * metrics["held_out_loss"]
    assert metrics["people_area_under_curve"] == 1.0


def test_the_threshold_limits_the_rejected_share_of_every_writer():
    validation, writers = np.linspace(0.5, 1, 100), [np.array([0.9, 0.8]), np.array([0.2, 0.3])]
    assert checkpoint._threshold([validation, *writers], 0.0) == 0.2


@pytest.mark.parametrize(("style", "rejected"), [(0, False), (FIRST_WRITER_STYLE, True)])
def test_held_out_styles_select_the_threshold_only_without_writers(style: int, rejected: bool):
    labels = np.array([*range(10), *range(10), *[NO_DIGIT] * 10])
    seen = labels.copy()
    seen[0] = NO_DIGIT  # a digit in a held-out style looks like no digit
    selection = _selection(seen, labels, np.array([0] * 10 + [style] * 20))
    content = describe(_Sure(), selection, synthetic.quick(rejected_share=0.0), "a revision")
    images = torch.from_numpy(selection.held_out.images[:1]).unsqueeze(1).float().div(255)
    score = digit_scores(_Sure()(images).numpy(), content["temperature"], content["score_line"])
    assert (score[0] < content["digit_threshold"]) == rejected


def test_the_other_groups_select_the_threshold_for_a_writer():
    writers, validation = [np.array([0.9, 0.8]), np.array([0.2, 0.3])], np.array([0.95])
    # The threshold is 0.8 for the second writer, above both scores, and 0.2 for the first, below both.
    assert checkpoint._cross_validate_rejection(writers, validation, 0.0) == 0.5
    assert checkpoint._cross_validate_rejection([writers[0]], np.array([0.7]), 0.0) == 0.0


def test_held_out_writers_calibrate_the_scores():
    labels = np.array([*range(10), *[NO_DIGIT] * 10])
    seen = labels.copy()
    seen[[0, 10]] = [NO_DIGIT, 3]  # one digit and one non-digit are confused
    for style, calibrated in ((0, False), (FIRST_WRITER_STYLE, True)):
        selection = _selection(seen, labels, np.full(20, style))
        content = describe(_Sure(), selection, synthetic.quick(), "a revision")
        assert (content["score_line"] != [1.0, 0.0]) == calibrated
    logits = torch.zeros(1, 11)
    logits[0, 3] = 9
    # Nine of ten drawings with these logits are digits.
    score = digit_scores(logits.numpy(), content["temperature"], content["score_line"])
    assert score == pytest.approx([0.9], abs=0.01)


def test_checksums_include_the_pen_data_if_the_run_used_it():
    labels = np.arange(NO_DIGIT + 1)
    selection = _selection(labels, labels, np.zeros(len(labels), np.int64))
    for without in (True, False):
        recipe = synthetic.quick(without_real_drawings=without)
        checksums = describe(_Sure(), selection, recipe, "a revision")["data_checksums"]
        assert (pen_data.PENDIGITS.name in checksums) != without
        assert pen_data.REPORTING.name not in checksums


@pytest.mark.parametrize("called", [1, 3, 10])
def test_the_threshold_accepts_the_given_share_of_non_digits(called: int):
    rng = np.random.default_rng(0)
    labels = np.array([*range(10), *[NO_DIGIT] * 10])
    images = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    selection = EvaluationData(
        synthetic.Digits(images[:10], labels[:10]), Drawings(images, labels, np.zeros(20, np.int64))
    )
    content = describe(DigitClassifier(), selection, synthetic.quick(), "a revision", called / 10)
    assert content["metrics"]["held_out_none_called_digit"] == called / 10


def test_no_images_give_no_logits():
    assert compute_logits(DigitClassifier(), np.empty((0, 28, 28), np.uint8)).shape == (0, 11)
