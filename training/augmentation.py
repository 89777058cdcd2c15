"""Random changes to a batch of training images, each of which leaves a digit the digit it is."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from training.recipe import Recipe


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Each image of a float32 batch (N, 1, 28, 28) changed by its own random amounts; ink stays in 0 to 1."""
    images = _stroke_width(images, recipe, generator)
    return F.grid_sample(images, _affine(images, recipe, generator), align_corners=False)


def _stroke_width(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    count = len(images)
    amount = torch.rand(count, 1, 1, 1, generator=generator)
    chosen = torch.rand(count, 1, 1, 1, generator=generator)
    thicker = F.max_pool2d(images, 3, stride=1, padding=1)
    thinner = -F.max_pool2d(-images, 3, stride=1, padding=1)
    images = torch.where(chosen < recipe.stroke_share / 2, images.lerp(thicker, amount), images)
    # A stroke of one pixel would vanish under a full step.
    return torch.where(chosen > 1 - recipe.stroke_share / 2, images.lerp(thinner, amount / 2), images)


def _affine(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Where each pixel comes from, (N, 28, 28, 2) in grid_sample's units: rotated, sheared, scaled, shifted."""
    count = len(images)
    angle = _uniform(count, math.radians(recipe.rotation_degrees), generator)
    shear = _uniform(count, recipe.shear, generator)
    scale = 1 + _uniform(count, recipe.scale, generator)
    wide = scale * (1 + _uniform(count, recipe.aspect, generator))
    shift = recipe.shift_pixels / (images.shape[-1] / 2)  # grid_sample's unit is half a picture
    rows = [
        torch.stack([wide * angle.cos(), shear - scale * angle.sin(), _uniform(count, shift, generator)], 1),
        torch.stack([wide * angle.sin(), scale * angle.cos(), _uniform(count, shift, generator)], 1),
    ]
    return F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)


def _uniform(count: int, limit: float, generator: torch.Generator) -> Tensor:
    """Numbers between -limit and limit, (N,)."""
    return (torch.rand(count, generator=generator) * 2 - 1) * limit
