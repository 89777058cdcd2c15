"""What a network learns from: labels, teachers, and both at once."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from handler.model import CHANNELS
from tests.training import synthetic
from training import fit
from training.mix import Batch, Mix
from training.strokes.generate import drawn


class _Says(nn.Module):
    """A network that says the same of everything."""

    def __init__(self, label: int, weight: float) -> None:
        super().__init__()
        self.logits = weight * F.one_hot(torch.tensor(label), 11).float()

    def forward(self, inputs):
        return self.logits.expand(len(inputs), -1)


def test_of_what_people_labelled_the_labels_alone_are_learned(monkeypatch):
    monkeypatch.setattr(fit, "BFLOAT16", False)
    recipe = synthetic.quick(teachers_share=1.0, label_smoothing=0.0)
    inputs, labels = torch.zeros(4, 1, 28, 28), torch.tensor([3, 3, 3, 3])
    network, teacher = _Says(3, 5.0), _Says(9, 50.0)
    right = fit._loss(network, Batch(inputs, labels), [], recipe)
    wrong = fit._loss(network, Batch(inputs, torch.tensor([9] * 4)), [], recipe)
    by_teacher = fit._loss(network, Batch(inputs, labels), [teacher], recipe)
    torch.testing.assert_close(by_teacher, wrong)
    of_both = fit._loss(network, Batch(inputs, labels, labelled=1), [teacher], recipe)
    torch.testing.assert_close(of_both, (3 * wrong + right) / 4)


def test_smoothing_divides_a_digit_among_the_digits_and_leaves_no_digit_alone():
    smoothed = fit._smoothed(torch.tensor([3, 10]), 0.5)
    torch.testing.assert_close(smoothed.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(smoothed[0, 3], torch.tensor(0.55))
    torch.testing.assert_close(smoothed[0, 4], torch.tensor(0.05))
    assert smoothed[0, 10] == 0
    torch.testing.assert_close(smoothed[1], F.one_hot(torch.tensor(10), 11).float())


def test_without_smoothing_the_labels_are_learned_as_they_are(monkeypatch):
    monkeypatch.setattr(fit, "BFLOAT16", False)
    recipe = synthetic.quick(label_smoothing=0.0)
    labels = torch.tensor([3, 10, 0])
    loss = fit._loss(_Says(3, 2.0), Batch(torch.zeros(3, 1, 28, 28), labels), [], recipe)
    torch.testing.assert_close(loss, F.cross_entropy(_Says(3, 2.0)(labels), labels))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_of_the_last_epochs_a_share_of_the_way_is_kept(tmp_path, share):
    recipe = synthetic.quick(epochs=3, last_epochs=2, last_way_share=share)
    digits = synthetic.digits(40)
    mix = Mix(digits, drawn(recipe.drawn_images, 0, outliers=recipe.drawn_none), recipe)
    kept = []

    def after_epoch(network, curve):
        kept.append({name: weights.clone() for name, weights in network.state_dict().items()})
        return {}

    network = fit.fit(fit.Plan("student", CHANNELS, 3, 0), mix, recipe, tmp_path, after_epoch)
    state = torch.load(tmp_path / "student.state", weights_only=True)["average"]
    for name, weights in network.state_dict().items():
        torch.testing.assert_close(weights, kept[2][name])
        if weights.is_floating_point():
            torch.testing.assert_close(weights, kept[0][name].lerp(state[f"module.{name}"], share))
