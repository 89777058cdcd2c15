"""The selection split and the test split are disjoint, and both contain every digit and style."""

import numpy as np

from tests.training import synthetic
from training.retrain.selection_split import split_for_selection
from training.strokes.generate import Drawings, generate_drawings
from training.train.checkpoint import EvaluationData


def _numbered(count: int, labels: np.ndarray) -> np.ndarray:
    """Images that contain their number and their label."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1], images[:, 0, 2] = (
        np.arange(count) // 256,
        np.arange(count) % 256,
        labels,
    )
    return images


def test_splits_are_disjoint_and_stratified():
    digits = synthetic.digits(205)
    plan = generate_drawings(600, 0, outliers=0.5, held_out=True, processes=1)
    held_out = Drawings(_numbered(600, plan.labels), plan.labels, plan.styles)
    first, second = split_for_selection(EvaluationData(digits, held_out))
    for name, of_all in (("validation", digits), ("held_out", held_out)):
        of_first, of_second = getattr(first, name), getattr(second, name)
        assert len(of_first) + len(of_second) == len(of_all)
        counts = [np.bincount(split.labels, minlength=11) for split in (of_first, of_second)]
        assert np.abs(counts[0] - counts[1]).max() <= 1
    numbers = [set(map(bytes, split.held_out.images[:, 0, :2])) for split in (first, second)]
    assert not numbers[0] & numbers[1]
    assert len(numbers[0] | numbers[1]) == 600
    for split in (first.held_out, second.held_out):
        assert (split.images[:, 0, 2] == split.labels).all()
        assert (np.bincount(split.styles) >= np.bincount(plan.styles) // 2).all()


def test_splits_are_deterministic():
    held_out = generate_drawings(40, 0, outliers=0.5, held_out=True, processes=1)
    data = EvaluationData(synthetic.digits(100), held_out)
    first, again = split_for_selection(data)[0], split_for_selection(data)[0]
    assert np.array_equal(first.validation.images, again.validation.images)
    assert np.array_equal(first.held_out.images, again.held_out.images)
