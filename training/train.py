"""Train the digit classifier.

    python -m training.train                                   the released recipe
    python -m training.train --epochs 3 --output runs/quick.pt

Writes a checkpoint whenever the validation accuracy is as good as any before, so Ctrl-C leaves the best so far. A
checkpoint carries what is needed to judge and to repeat it: settings, metrics, git revision, library versions and the
data's checksums. A full run ends with status 1 when it misses its target on the test set.
"""

import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from handler.model import DigitClassifier
from training import data
from training.augmentation import augment
from training.calibration import confidences, expected_calibration_error, fit_temperature
from training.data import DataError, Digits
from training.recipe import Recipe, parse

ROOT = Path(__file__).resolve().parent.parent
EVALUATION_BATCH = 1000
INTERRUPTED = 130  # the exit status that shells give to Ctrl-C


@dataclass
class Run:
    """A model in training: the network that learns, and the average of its weights that is kept."""

    recipe: Recipe
    network: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    git_revision: str  # of the start: files may change while it trains


def train(recipe: Recipe, digits: Digits) -> dict[str, Any]:
    """Train on the training set `digits`, save the best checkpoint to `recipe.output`, and give it back.

    Chooses by a validation split of `digits`; the test set is not known here. Raises ValueError when the split
    leaves less than a batch to learn from.
    """
    training, validation = split(digits, recipe)
    if len(training) < recipe.batch_size:
        raise ValueError(
            f"Setting 'validation_images' has value '{recipe.validation_images}'. Of {len(digits)} images "
            f"it must leave a batch of {recipe.batch_size} to learn from."
        )
    run = _start(recipe, steps=recipe.epochs * (len(training) // recipe.batch_size))
    best: dict[str, Any] = {}
    curve: list[dict[str, float]] = []
    for epoch in range(recipe.epochs):
        loss = _train_epoch(run, training, f"epoch {epoch + 1}/{recipe.epochs}", curve)
        logits = predict(run.average.module, validation.images)
        accuracy = _accuracy(logits, validation.labels)
        curve.append({"loss": loss, "validation_accuracy": accuracy})
        improved = not best or accuracy >= best["metrics"]["validation_accuracy"]
        print(
            f"epoch {epoch + 1:2}: loss {loss:.4f}, validation accuracy {accuracy:.2%}{' *' * improved}",
            flush=True,
        )
        if improved:
            best = _checkpoint(run, logits, validation.labels, curve)
            save(best, Path(recipe.output))
    return best


def split(digits: Digits, recipe: Recipe) -> tuple[Digits, Digits]:
    """The part to learn from and the part to choose by: the same for the same seed."""
    order = np.random.default_rng(recipe.seed).permutation(len(digits))
    return digits.take(order[recipe.validation_images :]), digits.take(order[: recipe.validation_images])


def predict(network: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """Logits (N, 10) of prepared images, uint8 (N, 28, 28)."""
    network.eval()
    with torch.inference_mode():
        batches = torch.from_numpy(images).unsqueeze(1).split(EVALUATION_BATCH)
        return torch.cat([network(batch.float().div(255)) for batch in batches])


def save(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    torch.save(checkpoint, unfinished)
    unfinished.replace(path)


def _start(recipe: Recipe, steps: int) -> Run:
    torch.manual_seed(recipe.seed)
    # channels_last: a step takes two thirds of the time on CPUs.
    network = DigitClassifier().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    return Run(
        recipe,
        network,
        AveragedModel(network, avg_fn=_moving_average(recipe.average_steps), use_buffers=True),
        optimizer,
        # Ten steps at least, or its first phase would have none.
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=max(steps, 10), pct_start=0.2
        ),
        torch.Generator().manual_seed(recipe.seed),
        _git_revision(),
    )


def _moving_average(steps: int) -> Any:
    """An exponential average that spans fewer steps at first, so that the first epochs' checkpoints are usable too."""

    def average(kept: Tensor, latest: Tensor, count: Tensor | int) -> Tensor:
        if not latest.is_floating_point():  # BatchNorm's count of batches
            return latest
        weight = max(1 / steps, 10 / (10 + int(count)))
        return kept.lerp(latest, weight)

    return average


def _train_epoch(run: Run, digits: Digits, title: str, curve: list[dict[str, float]]) -> float:
    """One pass over the training digits; the mean loss. `curve` is what the bar shows of the epochs before."""
    images, labels = torch.from_numpy(digits.images).unsqueeze(1), torch.from_numpy(digits.labels)
    size = run.recipe.batch_size
    order = torch.randperm(len(images), generator=run.generator)
    batches = order[: len(order) // size * size].split(size)
    validation = f"{curve[-1]['validation_accuracy']:.2%}" if curve else "none yet"
    run.network.train()
    total = 0.0
    with tqdm(batches, desc=title, unit="batch", leave=False, disable=None) as progress:
        for count, batch in enumerate(progress, 1):
            inputs = augment(images[batch].float().div(255), run.recipe, run.generator)
            logits = run.network(inputs.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=run.recipe.label_smoothing)
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            run.schedule.step()
            run.average.update_parameters(run.network)
            total += loss.item()
            progress.set_postfix(loss=f"{total / count:.4f}", validation=validation, refresh=False)
    return total / len(batches)


def _checkpoint(
    run: Run, logits: Tensor, labels: NDArray[np.int64], curve: list[dict[str, float]]
) -> dict[str, Any]:
    """What describes and repeats this model, in plain types; `logits` and `labels` are the validation split's."""
    temperature = fit_temperature(logits, torch.from_numpy(labels))
    confidence = confidences(logits, temperature)
    correct = logits.argmax(dim=1).numpy() == labels
    return {
        "state_dict": {
            name: tensor.contiguous().clone() for name, tensor in run.average.module.state_dict().items()
        },
        "temperature": temperature,
        "digit_threshold": float(np.quantile(confidence, run.recipe.rejected_share)),
        "settings": asdict(run.recipe),
        "metrics": {
            "epochs": len(curve),
            "validation_accuracy": float(correct.mean()),
            "validation_calibration_error": expected_calibration_error(confidence, correct),
            "curve": list(curve),
        },
        "git_revision": run.git_revision,
        "libraries": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),  # a class of its own, which weights_only refuses
            "torchvision": str(torchvision.__version__),
            "numpy": np.__version__,
        },
        "data_checksums": dict(data.CHECKSUMS),
    }


def _accuracy(logits: Tensor, labels: NDArray[np.int64]) -> float:
    return float((logits.argmax(dim=1).numpy() == labels).mean())


def _git_revision() -> str:
    """The commit, marked "-dirty" when what trains differs from it; "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        dirty = "-dirty" if git("status", "--porcelain", "--", "handler", "training/*.py") else ""
        return git("rev-parse", "HEAD") + dirty or "unknown"
    except FileNotFoundError:  # no git here
        return "unknown"


def _test(checkpoint: dict[str, Any], digits: Digits) -> dict[str, float]:
    """How the test set is read."""
    network = DigitClassifier()
    network.load_state_dict(checkpoint["state_dict"])
    logits = predict(network, digits.images)
    confidence = confidences(logits, checkpoint["temperature"])
    correct = logits.argmax(dim=1).numpy() == digits.labels
    return {
        "test_accuracy": float(correct.mean()),
        "test_calibration_error": expected_calibration_error(confidence, correct),
    }


def main(arguments: list[str]) -> int:
    recipe = parse(arguments)
    output = Path(recipe.output)
    started = time.time()
    try:
        best = train(recipe, data.load(train=True))
        best["metrics"]["minutes"] = (time.time() - started) / 60
        # A short run is a trial: to compare trials by the test set would be to choose by it.
        trial = recipe.epochs < Recipe().epochs
        if not trial:
            best["metrics"] |= _test(best, data.load(train=False))
        save(best, output)
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        written = output.exists() and output.stat().st_mtime >= started
        left = f"the best so far is {output}" if written else "no epoch was complete, nothing was written"
        print(f"\nInterrupted: {left}", file=sys.stderr)
        return INTERRUPTED
    metrics = best["metrics"]
    print(
        f"{output}: validation accuracy {metrics['validation_accuracy']:.2%}, {metrics['minutes']:.1f} minutes"
    )
    if trial:
        print(f"A trial, for it has fewer than {Recipe().epochs} epochs: the test set was not read.")
        return 0
    print(f"MNIST test accuracy {metrics['test_accuracy']:.2%}")
    if metrics["test_accuracy"] < recipe.target_accuracy:
        print(f"The target, {recipe.target_accuracy:.2%}, is missed.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
