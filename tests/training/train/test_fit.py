"""A network learns from labels, or from the probabilities of its start network."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.training import synthetic
from training.train import fit
from training.train.mix import Batch


class _Constant(nn.Module):
    """A network with constant logits."""

    def __init__(self, label: int, weight: float) -> None:
        super().__init__()
        self.logits = weight * F.one_hot(torch.tensor(label), 11).float()

    def forward(self, inputs):
        return self.logits.expand(len(inputs), -1)


def test_labelled_drawings_are_learned_from_labels_and_others_from_the_start_network(monkeypatch):
    monkeypatch.setattr(fit, "BFLOAT16", False)
    recipe = synthetic.quick(label_smoothing=0.0)
    inputs, labels = torch.zeros(4, 1, 28, 28), torch.tensor([3, 3, 3, 3])
    network, start = _Constant(3, 5.0), _Constant(9, 50.0)
    right = fit._loss(network, Batch(inputs, labels), None, recipe)
    wrong = fit._loss(network, Batch(inputs, torch.tensor([9] * 4)), None, recipe)
    distillation = fit._loss(network, Batch(inputs, labels), start, recipe)
    torch.testing.assert_close(distillation, wrong)
    both = fit._loss(network, Batch(inputs, labels, labelled=1), start, recipe)
    torch.testing.assert_close(both, (3 * wrong + right) / 4)


def test_smoothing_spreads_among_digits_and_excludes_no_digit():
    smoothed = fit._smooth_labels(torch.tensor([3, 10]), 0.5)
    torch.testing.assert_close(smoothed.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(smoothed[0, 3], torch.tensor(0.55))
    torch.testing.assert_close(smoothed[0, 4], torch.tensor(0.05))
    assert smoothed[0, 10] == 0
    torch.testing.assert_close(smoothed[1], F.one_hot(torch.tensor(10), 11).float())


def test_without_smoothing_the_loss_is_plain_cross_entropy(monkeypatch):
    monkeypatch.setattr(fit, "BFLOAT16", False)
    recipe = synthetic.quick(label_smoothing=0.0)
    labels = torch.tensor([3, 10, 0])
    loss = fit._loss(_Constant(3, 2.0), Batch(torch.zeros(3, 1, 28, 28), labels), None, recipe)
    torch.testing.assert_close(loss, F.cross_entropy(_Constant(3, 2.0)(labels), labels))
