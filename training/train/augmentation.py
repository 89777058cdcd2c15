"""Random augmentation of a batch of training images; it preserves the labels."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.train.recipe import Recipe


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Augment each image of a batch, float32 (N, 1, 28, 28), ink 0 to 1, by its own random amounts.

    `strength`, 0 to 1, scales the amounts of the recipe.
    """
    images = _stroke_width(images, strength * recipe.stroke_share, generator)
    return F.grid_sample(images, _affine(images, recipe, generator, strength), align_corners=False)


def _stroke_width(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    count = len(images)
    amount = torch.rand(count, 1, 1, 1, generator=generator)
    chosen = torch.rand(count, 1, 1, 1, generator=generator)
    thicker = F.max_pool2d(images, 3, stride=1, padding=1)
    thinner = -F.max_pool2d(-images, 3, stride=1, padding=1)
    images = torch.where(chosen < share / 2, images.lerp(thicker, amount), images)
    # At most half of the way: thinning by a whole pixel removes a stroke of one pixel.
    return torch.where(chosen > 1 - share / 2, images.lerp(thinner, amount / 2), images)


def _affine(images: Tensor, recipe: Recipe, generator: torch.Generator, strength: float) -> Tensor:
    """Sampling grid (N, 28, 28, 2) for rotation, shear, scale and shift, in units of grid_sample."""
    count = len(images)
    angle = _uniform(count, strength * math.radians(recipe.rotation_degrees), generator)
    shear = _uniform(count, strength * recipe.shear, generator)
    scale = 1 + _uniform(count, strength * recipe.scale, generator)
    wide = scale * (1 + _uniform(count, strength * recipe.aspect, generator))
    shift = strength * recipe.shift_pixels / (images.shape[-1] / 2)  # grid_sample's unit is half an image
    rows = [
        torch.stack([wide * angle.cos(), shear - scale * angle.sin(), _uniform(count, shift, generator)], 1),
        torch.stack([wide * angle.sin(), scale * angle.cos(), _uniform(count, shift, generator)], 1),
    ]
    return F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)


def _uniform(count: int, limit: float, generator: torch.Generator) -> Tensor:
    """Uniform random numbers from -limit to limit, (N,)."""
    return (torch.rand(count, generator=generator) * 2 - 1) * limit
