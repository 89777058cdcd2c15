"""Augmented training batches from MNIST digits, drawn digits, drawn non-digits and labelled drawings.

MNIST lacks non-digits and the writing styles of other countries (a slashed zero, a barred seven). A network that
learns from drawings alone loses accuracy on MNIST. So every batch has a share of each.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
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
    digits: Digits
    strength: float  # of the augmentation
    count: int  # samples in a batch


class Mix:
    """Batches with fixed shares of each source. Raises ValueError if a source is too small for one batch."""

    def __init__(
        self, mnist: Digits, drawings: Drawings, recipe: Recipe, labelled: Digits | None = None
    ) -> None:
        self._recipe = recipe
        none, strength = drawings.labels == NO_DIGIT, recipe.drawn_augmentation
        drawn = Digits(drawings.images[~none], drawings.labels[~none])
        others = Digits(drawings.images[none], drawings.labels[none])
        sources = [
            ("drawn digits", drawn, recipe.drawn_share),
            ("drawn non-digits", others, recipe.none_share),
            *([("labelled drawings", labelled, recipe.labelled_share)] if labelled else []),
        ]
        self._drawings = [
            _Source(name, digits, strength, round(recipe.batch_size * share))
            for name, digits, share in sources
        ]
        rest = recipe.batch_size - sum(source.count for source in self._drawings)
        self._mnist = _Source("MNIST images", mnist, 1.0, rest)
        for source in (self._mnist, *self._drawings):
            if (available := len(source.digits)) < source.count:
                raise ValueError(f"There are {available} {source.name}, but a batch needs {source.count}.")

    @property
    def steps(self) -> int:
        """Batches in an epoch; an epoch is one pass over MNIST."""
        return len(self._mnist.digits) // self._mnist.count

    def epoch(self, number: int, seed: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, deterministic for the epoch number and the seed."""
        # One generator for each epoch, so that a resumed run gets the same batches.
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        sources = [source for source in (self._mnist, *self._drawings) if source.count]
        shuffles = [_shuffle(len(source.digits), source.count, generator) for source in sources]
        for _ in range(self.steps):
            inputs, labels = [], []
            for source, shuffle in zip(sources, shuffles, strict=True):
                chosen = source.digits.take(next(shuffle).numpy())
                images = torch.from_numpy(chosen.images).unsqueeze(1).float().div(255)
                inputs.append(augment(images, self._recipe, generator, source.strength))
                labels.append(torch.from_numpy(chosen.labels))
            labelled = sum(source.count for source in self._drawings[2:])
            yield Batch(torch.cat(inputs), torch.cat(labels), labelled)


def _shuffle(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield `size` indices at a time in random order; a new permutation follows when the rest is too short."""
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order[: count - count % size].split(size)
