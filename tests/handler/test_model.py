"""The network: batch normalization is folded, and weights restore it."""

import copy

import pytest
import torch
from torch import nn

from handler.model import CHANNELS, DigitClassifier, fold_batch_norm, restore_model


def _train_briefly() -> DigitClassifier:
    """A network whose batch normalizations have statistics."""
    torch.manual_seed(3)
    model = DigitClassifier().train()
    for _ in range(5):
        model(torch.rand(16, 1, 28, 28) * 2 - 0.5)
    return model.eval()


def test_folding_keeps_the_logits():
    model, pictures = _train_briefly(), torch.rand(32, 1, 28, 28)
    expected = model(pictures)
    # Folding changes the order of multiplications, and rounding differs by processor.
    assert torch.allclose(fold_batch_norm(copy.deepcopy(model))(pictures), expected, atol=1e-4, rtol=0)


def test_folding_removes_batch_norm_and_dropout():
    kinds = {type(module) for module in fold_batch_norm(_train_briefly()).modules()}
    assert not kinds & {nn.BatchNorm2d, nn.Dropout}
    assert nn.Conv2d in kinds


def test_a_folded_network_has_gradients():
    picture = torch.rand(1, 1, 28, 28, requires_grad=True)
    fold_batch_norm(_train_briefly())(picture)[0, 3].backward()
    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0


def test_features_are_the_input_of_the_last_layer():
    model, pictures = _train_briefly(), torch.rand(8, 1, 28, 28)
    seen = model.features(pictures)
    assert seen.shape == (8, CHANNELS[-1])
    assert torch.equal(model.layers[-1](seen), model(pictures))


@pytest.mark.parametrize("stem", [3, 5])
@pytest.mark.parametrize(("channels", "outputs"), [((32, 48, 48, 96, 96), 10), ((8, 12, 12, 16, 20), 11)])
def test_a_network_is_restored_from_its_weights_alone(channels, outputs, stem):
    torch.manual_seed(1)
    trained, pictures = DigitClassifier(channels, outputs, stem).eval(), torch.rand(3, 1, 28, 28)
    assert torch.equal(restore_model(trained.state_dict()).eval()(pictures), trained(pictures))


def test_it_needs_less_than_half_of_the_multiplications_of_release_1_4():
    def multiplications(model: DigitClassifier) -> int:
        counts = []
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(
                    lambda layer, _, given: counts.append(given[0, 0].numel() * layer.weight.numel())
                )
        model(torch.zeros(1, 1, 28, 28))
        return sum(counts)

    before = DigitClassifier((48, 72, 72, 144, 144), stem=3).eval()
    assert multiplications(before) == 29_296_512
    assert multiplications(DigitClassifier().eval()) < 0.45 * multiplications(before)


def test_weights_of_another_network_are_refused():
    with pytest.raises(RuntimeError, match="0 convolutions and 1 linear layers, not 5 and 1"):
        restore_model(nn.Linear(2, 2).state_dict())
