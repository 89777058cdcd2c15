"""Train one network: the loop, which resumes where it was interrupted.

    network = fit(Plan("student", CHANNELS, epochs=16, seed=0), mix, recipe, folder, after_epoch)

After each epoch everything that the next one needs lies in a file of the folder, so a run that is stopped, or whose
machine is, loses less than an epoch.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from handler.model import OUTPUTS, DigitClassifier
from handler.predictor import DIGITS
from training.checkpoint import write
from training.mix import Batch, Mix
from training.recipe import Recipe

Curve = list[dict[str, float]]

# Half of the numbers' length, where the processor multiplies such numbers itself: a step takes half of the time there.
# The weights, and what is summed over many steps, stay float32.
BFLOAT16 = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


@dataclass(frozen=True)
class Plan:
    """What is trained: a network of these widths, how long, from which seed.

    Given a network to `start` from, in place of chance, its opinion counts in place of the labels, except of what
    people labelled, or it would be forgotten: Z. Li, D. Hoiem, "Learning without Forgetting", 2016.
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
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    curve: Curve

    @property
    def kept(self) -> DigitClassifier:
        network: DigitClassifier = self.average.module.eval()
        return network

    def parts(self) -> dict[str, Any]:
        """What has a state of its own."""
        return {name: part for name, part in self.__dict__.items() if name != "curve"}


def fit(
    plan: Plan,
    mix: Mix,
    recipe: Recipe,
    folder: Path,
    after_epoch: Callable[[nn.Module, Curve], dict[str, float]],
) -> DigitClassifier:
    """Train a network by the plan and give back the average of its weights.

    `after_epoch` gets the network as it would be kept and the curve so far, whose last entry has this epoch's loss, and
    gives back what else shall stand there.
    """
    run = _start(plan, mix, recipe)
    path = folder / f"{plan.name}.state"
    _resume(run, plan, recipe, path)
    for number in range(len(run.curve), plan.epochs):
        run.curve.append({"loss": _epoch(run, plan, mix, recipe, number)})
        run.curve[-1] |= after_epoch(run.kept, run.curve)
        state = {name: part.state_dict() for name, part in run.parts().items()}
        write({"of": _identity(plan, recipe), "curve": run.curve, **state}, path)
    return run.kept


def epochs_done(plan: Plan, recipe: Recipe, folder: Path) -> int:
    """How many epochs of the plan an earlier run has left in the folder; 0 where it was of another recipe."""
    state = _read(folder / f"{plan.name}.state", plan, recipe)
    return len(state["curve"]) if state else 0


def _start(plan: Plan, mix: Mix, recipe: Recipe) -> _Run:
    torch.manual_seed(plan.seed)
    # channels_last: a step takes two thirds of the time on CPUs.
    network = copy.deepcopy(plan.start) if plan.start else DigitClassifier(plan.channels)
    network = network.to(memory_format=torch.channels_last)
    steps = plan.epochs * mix.steps
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    return _Run(
        network,
        AveragedModel(network, avg_fn=_moving_average(recipe.average_steps), use_buffers=True),
        optimizer,
        # Ten steps at least, or its first phase would have none.
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=max(steps, 10), pct_start=0.2
        ),
        [],
    )


def _moving_average(steps: int) -> Any:
    """An exponential average that spans fewer steps at first, so that the first epochs' checkpoints are usable too."""

    def average(kept: Tensor, latest: Tensor, count: Tensor | int) -> Tensor:
        if not latest.is_floating_point():  # BatchNorm's count of batches
            return latest
        weight = max(1 / steps, 10 / (10 + int(count)))
        return kept.lerp(latest, weight)

    return average


def _epoch(run: _Run, plan: Plan, mix: Mix, recipe: Recipe, number: int) -> float:
    """One epoch; the mean loss."""
    # What dropout does depends on the epoch alone, as the batches do.
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
            run.schedule.step()
            run.average.update_parameters(run.network)
            total += loss.item()
            batches.set_postfix(loss=f"{total / count:.4f}", refresh=False)
    return total / mix.steps


def _loss(network: nn.Module, batch: Batch, start: nn.Module | None, recipe: Recipe) -> Tensor:
    inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
    logits = _logits(network, inputs)
    losses = F.cross_entropy(logits, _smoothed(batch.labels, recipe.label_smoothing), reduction="none")
    if start is None:
        return losses.mean()
    known = len(inputs) - batch.labelled
    with torch.no_grad():
        opinion = _logits(start, inputs[:known]).softmax(dim=1)
    of_opinion = F.cross_entropy(logits[:known], opinion, reduction="none")
    return torch.cat([of_opinion, losses[known:]]).mean()


def _smoothed(labels: Tensor, share: float) -> Tensor:
    """The labels as probabilities (N, OUTPUTS): of a digit, a share is divided among the ten digits.

    None of it goes to "no digit", and nothing from there to the digits: the score between the two would end where the
    share is reached, and all clear digits would score the same as what merely looks like one.
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
    state = _read(path, plan, recipe)
    if state is not None:
        for name, part in run.parts().items():
            part.load_state_dict(state[name])
        run.curve = state["curve"]


def _read(path: Path, plan: Plan, recipe: Recipe) -> dict[str, Any] | None:
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state if state["of"] == _identity(plan, recipe) else None


def _identity(plan: Plan, recipe: Recipe) -> dict[str, Any]:
    """What must be the same for a run to go on: all settings but what comes out, and under which name."""
    of_plan = {"name": plan.name, "channels": list(plan.channels), "length": plan.epochs, "from": plan.seed}
    return asdict(recipe) | {"output": "", "students": 0} | of_plan
