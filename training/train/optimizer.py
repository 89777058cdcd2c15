"""The optimizer of a training run: Muon for the filters of the convolutions, AdamW for all other weights.

Muon needs about half as many steps as AdamW alone (benchmarks/training.md). K. Jordan et al., "Muon: An optimizer for
hidden layers in neural networks", 2024.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR


class FilterMuon(torch.optim.Muon):
    """Muon for the weights (outputs, inputs, height, width) of convolutions; torch's Muon takes matrices alone.

    Each filter is a row of a matrix that shares its memory with the weights. RuntimeError if weights are not
    channels_last.
    """

    def __init__(self, weights: Sequence[Tensor], **settings: Any) -> None:
        self._weights = weights
        rows = [weight.detach().permute(0, 2, 3, 1).view(len(weight), -1) for weight in weights]
        super().__init__(list(map(nn.Parameter, rows)), **settings)

    def step(self, closure: None = None) -> None:
        for matrix, weight in zip(self.param_groups[0]["params"], self._weights, strict=True):
            matrix.grad = weight.grad.permute(0, 2, 3, 1).flatten(1)
        super().step(closure)


class Optimizer:
    """Both optimizers, each with a one-cycle schedule of its learning rate; `step` takes one step of all of them."""

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float, steps: int) -> None:
        self._network = network
        filters = [weight for weight in network.parameters() if weight.dim() == 4]
        others = [weight for weight in network.parameters() if weight.dim() != 4]
        # RMS as in AdamW: one learning rate suits both.
        muon = FilterMuon(
            filters, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        adamw = torch.optim.AdamW(others, lr=learning_rate, weight_decay=weight_decay)
        schedules = [
            OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.2, cycle_momentum=False)
            for optimizer in (muon, adamw)
        ]
        self._parts = (muon, adamw, *schedules)

    def zero_grad(self) -> None:
        self._network.zero_grad()

    def step(self) -> None:
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {str(number): part.state_dict() for number, part in enumerate(self._parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for number, part in enumerate(self._parts):
            part.load_state_dict(state[str(number)])
