"""A checkpoint is written whole or not at all, and says how it does on what it did not learn from."""

import json

import numpy as np
import pytest
import torch

from handler.model import DigitClassifier
from handler.predictor import digit_scores
from tests.training import synthetic
from training import checkpoint, pen_data
from training.checkpoint import ChosenBy, describe, logits_of, write, write_description
from training.strokes.generate import FIRST_WRITER_STYLE, NO_DIGIT, Drawings


def test_it_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "model.pt"
    write({"epoch": 1}, path)
    with pytest.raises((AttributeError, TypeError)):
        write({"epoch": 2, "what cannot be written": (step for step in ())}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}


def test_what_lies_beside_an_earlier_one_goes_with_it(tmp_path):
    beside = [tmp_path / f"model.{suffix}" for suffix in ("onnx", "int8.onnx", "json")]
    for path in beside:
        path.touch()
    write({"epoch": 1}, tmp_path / "model.pt")
    assert not any(path.exists() for path in beside)


def test_its_description_is_all_but_the_weights(tmp_path):
    write_description({"state_dict": object(), "metrics": {"loss": 0.5}}, tmp_path / "model.pt")
    assert json.loads((tmp_path / "model.json").read_text()) == {"metrics": {"loss": 0.5}}


class _Sure(DigitClassifier):
    """Reads the label off the first pixel, as one that was trained would off the rest: 11 is "no digit"."""

    def forward(self, images):
        labels = (images[:, 0, 0, 0] * 255).round().long()
        return torch.nn.functional.one_hot(labels, NO_DIGIT + 1).float() * 9


def _marked(labels: np.ndarray) -> np.ndarray:
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0] = labels
    return images


def test_its_metrics_are_those_of_validation_and_held_out_styles():
    labels = np.arange(40) % 10
    held_out = np.array([*range(10), *[NO_DIGIT] * 10])
    seen = held_out.copy()
    seen[[0, 1]] = [5, 6]  # two digits are read wrong,
    seen[-1] = 3  # and one drawing that is none is called a digit
    chosen_by = ChosenBy(
        synthetic.Digits(_marked(labels), labels),
        Drawings(_marked(seen), held_out, np.zeros(20, np.int64)),
    )
    content = describe(_Sure(), chosen_by, synthetic.quick(), "a revision")
    metrics = content["metrics"]
    assert metrics["validation_accuracy"] == 1.0
    assert metrics["held_out_accuracy"] == 0.8
    assert metrics["held_out_area_under_curve"] == pytest.approx(0.95, abs=0.01)  # it ties with them
    assert metrics["held_out_none_called_digit"] == pytest.approx(0.1)
    assert content["git_revision"] == "a revision"


def test_people_s_drawings_are_a_group_of_their_own():
    labels = np.arange(10)
    of_styles = Drawings(_marked(labels), labels, np.zeros(10, np.int64))
    seen = labels.copy()
    seen[:3] = [5, 6, 7]
    of_people = Drawings(_marked(seen), labels, np.full(10, FIRST_WRITER_STYLE))
    none = Drawings(_marked(np.full(5, NO_DIGIT)), np.full(5, NO_DIGIT), np.full(5, FIRST_WRITER_STYLE))
    chosen_by = ChosenBy(
        synthetic.Digits(_marked(labels), labels), of_styles.concatenate(of_people).concatenate(none)
    )
    metrics = describe(_Sure(), chosen_by, synthetic.quick(), "a revision")["metrics"]
    accuracies = [metrics[f"{name}_accuracy"] for name in ("validation", "held_out", "people")]
    assert accuracies == [1.0, 1.0, 0.7]
    assert metrics["people_loss"] > 2 * metrics["held_out_loss"]
    assert metrics["people_area_under_curve"] == 1.0


def test_threshold_rejects_no_more_of_any_writer_than_of_all():
    validation, writers = np.linspace(0.5, 1, 100), [np.array([0.9, 0.8]), np.array([0.2, 0.3])]
    assert checkpoint._threshold([validation, *writers], 0.0) == 0.2


def test_each_writer_is_rejected_by_the_threshold_of_the_others():
    writers, validation = [np.array([0.9, 0.8]), np.array([0.2, 0.3])], [np.array([0.95])]
    # The first writer's least is 0.8, above both of the second's; none of the first's is below 0.2.
    assert checkpoint._rejected_by_others(writers, validation, 0.0) == 0.5
    assert checkpoint._rejected_by_others([writers[0]], [np.array([0.7])], 0.0) == 0.0


def test_scores_are_calibrated_by_people_s_drawings_where_there_are_any():
    labels = np.array([*range(10), *[NO_DIGIT] * 10])
    seen = labels.copy()
    seen[[0, 10]] = [NO_DIGIT, 3]  # one of either is taken for the other
    for style, calibrated in ((0, False), (FIRST_WRITER_STYLE, True)):
        held_out = Drawings(_marked(seen), labels, np.full(20, style))
        chosen_by = ChosenBy(synthetic.Digits(_marked(labels[:10]), labels[:10]), held_out)
        content = describe(_Sure(), chosen_by, synthetic.quick(), "a revision")
        assert (content["score_line"] != [1.0, 0.0]) == calibrated
    logits = torch.zeros(1, 11)
    logits[0, 3] = 9
    # Nine of ten that it is as sure of are digits.
    score = digit_scores(logits.numpy(), content["temperature"], content["score_line"])
    assert score == pytest.approx([0.9], abs=0.01)


def test_the_files_of_people_s_drawings_are_named_by_a_run_that_learned_from_them():
    labels = np.arange(NO_DIGIT + 1)
    chosen_by = ChosenBy(
        synthetic.Digits(_marked(labels[:10]), labels[:10]),
        Drawings(_marked(labels), labels, np.zeros(len(labels), np.int64)),
    )
    for without in (True, False):
        recipe = synthetic.quick(without_real_drawings=without)
        checksums = describe(_Sure(), chosen_by, recipe, "a revision")["data_checksums"]
        assert (pen_data.PENDIGITS.name in checksums) != without
        assert pen_data.REPORTING.name not in checksums


@pytest.mark.parametrize("called", [1, 3, 10])
def test_its_threshold_lets_as_many_of_none_pass_as_is_asked(called: int):
    rng = np.random.default_rng(0)
    labels = np.array([*range(10), *[NO_DIGIT] * 10])
    images = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    chosen_by = ChosenBy(
        synthetic.Digits(images[:10], labels[:10]), Drawings(images, labels, np.zeros(20, np.int64))
    )
    content = describe(DigitClassifier(), chosen_by, synthetic.quick(), "a revision", called / 10)
    assert content["metrics"]["held_out_none_called_digit"] == called / 10


def test_no_images_have_no_logits():
    assert logits_of(DigitClassifier(), np.empty((0, 28, 28), np.uint8)).shape == (0, 11)
