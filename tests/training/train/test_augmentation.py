"""Augmentation is random for each image, reproducible, and stays within the range of ink."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from tests.training import synthetic
from training.train.augmentation import augment
from training.train.recipe import Recipe

AMOUNTS = ("rotation_degrees", "shear", "scale", "aspect", "shift_pixels", "stroke_share")
NONE = replace(Recipe(), **dict.fromkeys(AMOUNTS, 0.0))


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.from_numpy(synthetic.digits(40).images).unsqueeze(1).float().div(255)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_amounts_are_settings_of_the_recipe():
    assert {field.name for field in fields(Recipe)} >= set(AMOUNTS)


def test_shape_and_range_are_preserved(images):
    changed = augment(images, Recipe(), _generator())
    assert changed.shape == images.shape
    assert changed.dtype == torch.float32
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_zero_amounts_change_nothing(images):
    torch.testing.assert_close(augment(images, NONE, _generator()), images, atol=1e-4, rtol=0)


@pytest.mark.parametrize("amount", AMOUNTS)
def test_each_amount_changes_the_images(images, amount):
    recipe = replace(NONE, **{amount: getattr(Recipe(), amount)})
    assert (augment(images, recipe, _generator()) - images).abs().mean() > 1e-3


def test_the_seed_determines_the_augmentation(images):
    first, again, other = (augment(images, Recipe(), _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_copies_of_an_image_differ(images):
    copies = augment(images[:1].repeat(8, 1, 1, 1), Recipe(), _generator())
    assert len({copy.numpy().tobytes() for copy in copies}) == 8


def test_the_shift_has_a_limit(images):
    changed = augment(images, replace(NONE, shift_pixels=2.0), _generator())
    moved = _centres(changed) - _centres(images)
    assert moved.abs().max() <= 2.05
    assert moved.abs().max() > 1


def test_strokes_become_thicker_and_thinner_but_none_vanishes(images):
    changed = augment(images, replace(NONE, stroke_share=1.0), _generator())
    ratio = changed.sum((1, 2, 3)) / images.sum((1, 2, 3))
    assert ratio.max() > 1.2
    assert 0.3 < ratio.min() < 0.9


def _centres(images: Tensor) -> Tensor:
    """Centres of mass in pixels, (N, 2)."""
    places = torch.arange(28.0)
    ink = images.squeeze(1)
    return torch.stack([ink.sum(1) @ places, ink.sum(2) @ places], 1) / ink.sum((1, 2))[:, None]
