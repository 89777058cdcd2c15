"""A batch has its share of each source, and an epoch is reproducible."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training import synthetic
from training.data.mnist import Digits
from training.strokes.generate import NO_DIGIT, Drawings
from training.train.mix import Mix

RECIPE = synthetic.quick(batch_size=20, drawn_share=0.2, none_share=0.1)
DIGITS = synthetic.digits(100)


def _drawings(digits: int = 30, none: int = 10) -> Drawings:
    """Drawn digits all have the label 7, to distinguish them from MNIST's."""
    labels = np.array([7] * digits + [NO_DIGIT] * none)
    return Drawings(synthetic.digits(digits + none).images, labels, np.zeros(len(labels), np.int64))


def _mnist() -> Digits:
    return Digits(DIGITS.images, np.full(100, 3))


def test_a_batch_has_its_share_of_each():
    for batch in Mix(_mnist(), _drawings(), RECIPE).epoch(0, 0):
        assert tuple(int((batch.labels == label).sum()) for label in (3, 7, NO_DIGIT)) == (14, 4, 2)
        assert batch.inputs.shape == (20, 1, 28, 28)


def test_labelled_drawings_take_their_share_from_mnist():
    labelled = Digits(DIGITS.images[:20], np.full(20, 5))
    for batch in Mix(_mnist(), _drawings(), replace(RECIPE, labelled_share=0.25), labelled).epoch(0, 0):
        assert tuple(int((batch.labels == label).sum()) for label in (3, 7, NO_DIGIT, 5)) == (9, 4, 2, 5)
        assert batch.labelled == 5
        assert (batch.labels[-5:] == 5).all()
    # MNIST gets the share if there are no labelled drawings.
    batch = next(Mix(_mnist(), _drawings(), replace(RECIPE, labelled_share=0.25)).epoch(0, 0))
    assert int((batch.labels == 3).sum()) == 14


def test_an_epoch_is_a_pass_over_mnist():
    mix = Mix(_mnist(), _drawings(), RECIPE)
    assert mix.steps == 100 // 14
    assert len(list(mix.epoch(0, 0))) == 100 // 14


def test_an_epoch_is_reproducible_and_differs_from_others():
    mix = Mix(DIGITS, _drawings(), RECIPE)

    def first(number: int, seed: int = 0) -> torch.Tensor:
        return next(mix.epoch(number, seed)).inputs

    assert torch.equal(first(1), first(1))
    assert not torch.equal(first(1), first(2))
    assert not torch.equal(first(1), first(1, seed=1))


def test_a_small_source_is_used_up_before_it_repeats():
    mix = Mix(_mnist(), _drawings(none=4), RECIPE)
    pictures = torch.cat([batch.inputs[-2:] for batch, _ in zip(mix.epoch(0, 0), range(2), strict=False)])
    assert len(pictures) == 4


def test_the_error_names_a_source_that_is_too_small():
    with pytest.raises(ValueError, match="There are 1 drawn non-digits, but a batch needs 2"):
        Mix(_mnist(), _drawings(none=1), RECIPE)
