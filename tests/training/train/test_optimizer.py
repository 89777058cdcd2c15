"""Muon updates each filter as a row of a matrix; both optimizers learn and resume."""

import pytest
import torch
from torch import nn

from training.train.optimizer import FilterMuon, Optimizer

SETTINGS = {"lr": 0.01, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}


def convolution() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(4, 8, 3, bias=False).to(memory_format=torch.channels_last)


def test_a_filter_is_a_row_of_the_matrix_that_muon_updates():
    weight = convolution().weight
    matrix = nn.Parameter(weight.detach().permute(0, 2, 3, 1).reshape(8, 36).clone())
    ours, torchs = FilterMuon([weight], **SETTINGS), torch.optim.Muon([matrix], **SETTINGS)
    for seed in (1, 2):
        gradient = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(seed))
        weight.grad, matrix.grad = gradient, gradient.permute(0, 2, 3, 1).reshape(8, 36)
        ours.step()
        torchs.step()
    assert torch.equal(weight.permute(0, 2, 3, 1).reshape(8, 36), matrix)


def test_filters_in_another_memory_format_are_refused():
    with pytest.raises(RuntimeError, match="view"):
        FilterMuon([nn.Conv2d(4, 8, 3).weight], **SETTINGS)


def test_both_optimizers_learn_and_resume():
    def learn(network: nn.Module, optimizer: Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            network(inputs).square().mean().backward()
            optimizer.step()

    def start() -> tuple[nn.Module, Optimizer]:
        network = nn.Sequential(convolution(), nn.Flatten(), nn.Linear(8 * 36, 1))
        return network, Optimizer(network, learning_rate=0.01, weight_decay=0.01, steps=20)

    inputs = torch.randn(16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    whole, optimizer = start()
    first = {name: weight.clone() for name, weight in whole.state_dict().items()}
    learn(whole, optimizer, 10)
    assert not any(torch.equal(first[name], weight) for name, weight in whole.state_dict().items())

    interrupted, optimizer = start()
    learn(interrupted, optimizer, 4)
    resumed, restored = start()
    resumed.load_state_dict(interrupted.state_dict())
    restored.load_state_dict(optimizer.state_dict())
    learn(resumed, restored, 6)
    for name, weight in whole.state_dict().items():
        assert torch.allclose(weight, resumed.state_dict()[name], atol=1e-6), name
