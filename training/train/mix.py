"""Augmented training batches from MNIST digits, drawn digits, drawn non-digits and labelled drawings.

MNIST lacks non-digits and the writing styles of other countries (a slashed zero, a barred seven). A network that
learns from drawings alone loses accuracy on MNIST. So every batch has a share of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.mnist import Digits
from training.strokes.generate import NO_DIGIT, Drawings
from training.train.augmentation import augment
from training.train.recipe import Recipe


@dataclass(frozen=True)
class Batch:
    """Inputs, float32 (N, 1, 28, 28), ink 1; labels, int64 (N,), 10 for "no digit".

    The last `labelled` samples are labelled drawings.
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
    """Batches with fixed shares of each source. Raises ValueError if a source is too small for one batch."""

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
        """Batches in an epoch; an epoch is one pass over MNIST."""
        return len(self._sources[0].labels) // self._counts[0]

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, deterministic for the epoch number and the seed."""
        # One generator for each epoch, so that a resumed run gets the same batches.
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        counts = self._counts
        shuffles = [_Shuffle(len(source.labels), generator) for source in self._sources]
        for _ in range(self.steps):
            inputs, labels = [], []
            for source, shuffle, count in zip(self._sources, shuffles, counts, strict=True):
                chosen = shuffle.take(count)
                images = source.images[chosen].unsqueeze(1).float().div(255)
                inputs.append(augment(images, self._recipe, generator, source.strength))
                labels.append(source.labels[chosen])
            yield Batch(torch.cat(inputs), torch.cat(labels), sum(counts[3:]))

    @property
    def _counts(self) -> tuple[int, ...]:
        """Samples of each source in a batch."""
        recipe = self._recipe
        drawn, none = (round(recipe.batch_size * share) for share in (recipe.drawn_share, recipe.none_share))
        if len(self._sources) == 3:
            return recipe.batch_size - drawn - none, drawn, none
        labelled = round(recipe.batch_size * recipe.labelled_share)
        return recipe.batch_size - drawn - none - labelled, drawn, none, labelled


class _Shuffle:
    """Indices in random order; a new permutation follows when the rest is too short."""

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
