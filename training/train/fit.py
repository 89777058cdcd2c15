"""The training loop of one network; an interrupted run resumes.

    for network, curve in train_epochs(Plan("student", CHANNELS, epochs=16, seed=0), mix, recipe, folder): ...

The state is saved to a file in `folder` after each epoch, so an interruption or a crash loses less than one epoch.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from handler.model import DIGITS, OUTPUTS, DigitClassifier
from training.train.checkpoint import write
from training.train.mix import Batch, Mix
from training.train.optimizer import Optimizer
from training.train.recipe import Recipe

Curve = list[dict[str, float]]

# Mixed precision on processors with bfloat16 multiplication: half the time for a step. Weights, optimizer state and
# moving average stay float32.
BFLOAT16 = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


@dataclass(frozen=True)
class Plan:
    """A network to train: its channels, number of epochs and seed.

    With `start`, training continues from this network instead of random weights. The targets are then its probabilities
    and, for labelled drawings, the labels. This prevents forgetting: Z. Li, D. Hoiem, "Learning without Forgetting",
    2016.
    """

    name: str
    channels: Sequence[int]
    epochs: int
    seed: int
    start: nn.Module | None = None


@dataclass
class _Run:
    network: nn.Module
    average: AveragedModel
    optimizer: Optimizer
    curve: Curve

    @property
    def averaged_network(self) -> DigitClassifier:
        network: DigitClassifier = self.average.module.eval()
        return network

    def stateful_parts(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if name != "curve"}


def train_epochs(
    plan: Plan, mix: Mix, recipe: Recipe, folder: Path
) -> Iterator[tuple[DigitClassifier, Curve]]:
    """Train a network; after each epoch yield the moving average of its weights, in evaluation mode, and the curve.

    The last entry of the curve has the epoch's loss. The state is saved with the metrics that the caller adds to it.
    """
    run = _start(plan, mix, recipe)
    path = folder / f"{plan.name}.state"
    _resume(run, plan, recipe, path)
    for number in range(len(run.curve), plan.epochs):
        run.curve.append({"loss": _train_epoch(run, plan, mix, recipe, number)})
        yield run.averaged_network, run.curve
        state = {name: part.state_dict() for name, part in run.stateful_parts().items()}
        write({"of": _identity(plan, recipe), "curve": run.curve, **state}, path)


def count_saved_epochs(plan: Plan, recipe: Recipe, folder: Path) -> int:
    """Epochs in the saved state of an interrupted run; 0 without a state of this plan and recipe."""
    state = _load_state(folder / f"{plan.name}.state", plan, recipe)
    return len(state["curve"]) if state else 0


def _start(plan: Plan, mix: Mix, recipe: Recipe) -> _Run:
    torch.manual_seed(plan.seed)
    # channels_last: a step takes two thirds of the time on CPUs.
    network = copy.deepcopy(plan.start) if plan.start else DigitClassifier(plan.channels)
    network = network.to(memory_format=torch.channels_last)
    average = AveragedModel(network, avg_fn=_moving_average(recipe.average_steps), use_buffers=True)
    # At least ten steps: OneCycleLR fails if its first phase has none.
    steps = max(plan.epochs * mix.steps, 10)
    optimizer = Optimizer(network, recipe.learning_rate, recipe.weight_decay, steps)
    return _Run(network, average, optimizer, [])


def _moving_average(steps: int) -> Any:
    """An exponential moving average with a shorter span at the start, for usable checkpoints after the first epochs."""

    def update(average: Tensor, latest: Tensor, count: Tensor | int) -> Tensor:
        if not latest.is_floating_point():  # num_batches_tracked of BatchNorm
            return latest
        weight = max(1 / steps, 10 / (10 + int(count)))
        return average.lerp(latest, weight)

    return update


def _train_epoch(run: _Run, plan: Plan, mix: Mix, recipe: Recipe, number: int) -> float:
    """Train one epoch; return the mean loss."""
    # Dropout depends on seed and epoch alone, as the batches do: a resumed run gives the same network.
    torch.manual_seed(plan.seed * 1000 + number)
    run.network.train()
    total = 0.0
    title = f"{plan.name}, epoch {number + 1}/{plan.epochs}"
    epoch = mix.epoch(number, plan.seed)
    with tqdm(epoch, title, mix.steps, unit="batch", leave=False, disable=None) as batches:
        for count, batch in enumerate(batches, 1):
            loss = _loss(run.network, batch, plan.start, recipe)
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            run.average.update_parameters(run.network)
            total += loss.item()
            batches.set_postfix(loss=f"{total / count:.4f}", refresh=False)
    return total / mix.steps


def _loss(network: nn.Module, batch: Batch, start: nn.Module | None, recipe: Recipe) -> Tensor:
    inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
    logits = _logits(network, inputs)
    losses = F.cross_entropy(logits, _smooth_labels(batch.labels, recipe.label_smoothing), reduction="none")
    if start is None:
        return losses.mean()
    unlabelled = len(inputs) - batch.labelled
    with torch.no_grad():
        targets = _logits(start, inputs[:unlabelled]).softmax(dim=1)
    distillation = F.cross_entropy(logits[:unlabelled], targets, reduction="none")
    return torch.cat([distillation, losses[unlabelled:]]).mean()


def _smooth_labels(labels: Tensor, share: float) -> Tensor:
    """Target probabilities (N, OUTPUTS): a share of each digit's label is spread among the ten digits.

    "No digit" takes no part. With smoothing between digits and "no digit", digit scores saturate at the share: clear
    digits and lookalikes then get the same score.
    """
    probabilities = F.one_hot(labels, OUTPUTS).float()
    of_digits = (labels < DIGITS).float().unsqueeze(1)
    probabilities[:, :DIGITS] += of_digits * share * (1 / DIGITS - probabilities[:, :DIGITS])
    return probabilities


def _logits(network: nn.Module, inputs: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
        logits: Tensor = network(inputs)
    return logits.float()


def _resume(run: _Run, plan: Plan, recipe: Recipe, path: Path) -> None:
    state = _load_state(path, plan, recipe)
    if state is not None:
        for name, part in run.stateful_parts().items():
            part.load_state_dict(state[name])
        run.curve = state["curve"]


def _load_state(path: Path, plan: Plan, recipe: Recipe) -> dict[str, Any] | None:
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state if state["of"] == _identity(plan, recipe) else None


def _identity(plan: Plan, recipe: Recipe) -> dict[str, Any]:
    """The settings that a saved state must match to be resumed; output path and number of students may differ."""
    return {
        "recipe": asdict(recipe) | {"output": "", "students": 0},
        "plan": {name: value for name, value in vars(plan).items() if name != "start"},
    }
