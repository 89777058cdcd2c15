"""What a training batch is made of: MNIST's digits, drawn digits, and drawings that are none, each changed a little.

MNIST alone does not know how people write elsewhere (a slashed zero, a barred seven) nor what is no digit; drawings
alone lose MNIST. So every batch has some of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.augmentation import augment
from training.data import Digits
from training.recipe import Recipe
from training.strokes.generate import NO_DIGIT, Drawings


@dataclass(frozen=True)
class Batch:
    """Inputs float32 (N, 1, 28, 28), ink 1; labels int64 (N,), 10 for no digit.

    The last `labelled` of them are what people labelled.
    """

    inputs: Tensor
    labels: Tensor
    labelled: int = 0


@dataclass(frozen=True)
class _Source:
    name: str
    images: Tensor
    labels: Tensor
    strength: float  # of the augmentation


class Mix:
    """Batches of the same sources, epoch after epoch. Raises ValueError where one has less than a batch needs."""

    def __init__(
        self, mnist: Digits, drawings: Drawings, recipe: Recipe, labelled: Digits | None = None
    ) -> None:
        self._recipe = recipe
        none = drawings.labels == NO_DIGIT
        strength = recipe.drawn_augmentation
        self._sources: tuple[_Source, ...] = (
            _source("MNIST images", mnist.images, mnist.labels, 1.0),
            _source("drawn digits", drawings.images[~none], drawings.labels[~none], strength),
            _source("drawn non-digits", drawings.images[none], drawings.labels[none], strength),
            *([_source("labelled drawings", labelled.images, labelled.labels, strength)] if labelled else []),
        )
        for source, needed in zip(self._sources, self._counts, strict=True):
            if len(source.labels) < needed:
                raise ValueError(f"There are {len(source.labels)} {source.name}, but a batch needs {needed}.")

    @property
    def steps(self) -> int:
        """The batches of an epoch, which is a pass over MNIST."""
        return len(self._sources[0].labels) // self._counts[0]

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        """The batches of an epoch; the same for the same arguments."""
        # A generator of its own: a run that goes on after an interruption sees what it would have seen.
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        counts = self._counts
        orders = [_Order(len(source.labels), generator) for source in self._sources]
        for _ in range(self.steps):
            inputs, labels = [], []
            for source, order, count in zip(self._sources, orders, counts, strict=True):
                chosen = order.take(count)
                images = source.images[chosen].unsqueeze(1).float().div(255)
                inputs.append(augment(images, self._recipe, generator, source.strength))
                labels.append(source.labels[chosen])
            yield Batch(torch.cat(inputs), torch.cat(labels), sum(counts[3:]))

    @property
    def _counts(self) -> tuple[int, ...]:
        """How many a batch has of each source."""
        recipe = self._recipe
        drawn, none = (round(recipe.batch_size * share) for share in (recipe.drawn_share, recipe.none_share))
        if len(self._sources) == 3:
            return recipe.batch_size - drawn - none, drawn, none
        labelled = round(recipe.batch_size * recipe.labelled_share)
        return recipe.batch_size - drawn - none - labelled, drawn, none, labelled


class _Order:
    """Places in random order, from the start again when all were given."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self._count, self._generator = count, generator
        self._left = torch.empty(0, dtype=torch.int64)

    def take(self, count: int) -> Tensor:
        if len(self._left) < count:
            self._left = torch.randperm(self._count, generator=self._generator)
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def _source(name: str, images: NDArray[np.uint8], labels: NDArray[np.int64], strength: float) -> _Source:
    return _Source(name, torch.from_numpy(images), torch.from_numpy(labels), strength)
