"""Random changes to a batch of training images, each of which leaves a digit the digit it is."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Strength:
    """How far `augment` may go, to either side of no change."""

    rotation_degrees: float = 12.0
    shear: float = 0.25
    scale: float = 0.12
    aspect: float = 0.12
    shift_pixels: float = 2.0
    # The share of images whose strokes become thicker or thinner, by up to a pixel to each side.
    stroke_share: float = 0.4


def augment(images: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    """Each image of a float32 batch (N, 1, 28, 28) changed by its own random amounts; ink stays in 0 to 1."""
    return _affine(_stroke_width(images, strength, generator), strength, generator)


def _affine(images: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    count, _, height, _ = images.shape
    angle = _uniform(count, math.radians(strength.rotation_degrees), generator)
    shear = _uniform(count, strength.shear, generator)
    scale = 1 + _uniform(count, strength.scale, generator)
    wide = scale * (1 + _uniform(count, strength.aspect, generator))
    shift = strength.shift_pixels / (height / 2)  # in grid_sample's units, half a picture
    rows = [
        torch.stack([wide * angle.cos(), shear - scale * angle.sin(), _uniform(count, shift, generator)], 1),
        torch.stack([wide * angle.sin(), scale * angle.cos(), _uniform(count, shift, generator)], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _stroke_width(images: Tensor, strength: Strength, generator: torch.Generator) -> Tensor:
    count = len(images)
    amount = torch.rand(count, 1, 1, 1, generator=generator)
    chosen = torch.rand(count, 1, 1, 1, generator=generator)
    thicker = F.max_pool2d(images, 3, stride=1, padding=1)
    thinner = -F.max_pool2d(-images, 3, stride=1, padding=1)
    images = torch.where(chosen < strength.stroke_share / 2, images.lerp(thicker, amount), images)
    # A stroke of one pixel would vanish under a full step.
    return torch.where(chosen > 1 - strength.stroke_share / 2, images.lerp(thinner, amount / 2), images)


def _uniform(count: int, limit: float, generator: torch.Generator) -> Tensor:
    """Numbers between -limit and limit."""
    return (torch.rand(count, generator=generator) * 2 - 1) * limit
