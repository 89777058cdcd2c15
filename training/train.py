"""Train the digit classifier.

    python -m training.train                              the released recipe
    python -m training.train --epochs 3 --output runs/quick.pt

Writes a checkpoint whenever the validation accuracy improves, so Ctrl-C leaves the best so far. A checkpoint
carries all that is needed to judge and to repeat it: settings, metrics, git revision, library versions and the data's
checksums. Ends with status 1 when the test accuracy misses its target.
"""

import argparse
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from handler.model import DigitClassifier
from training import data
from training.augmentation import Strength, augment
from training.calibration import confidences, expected_calibration_error, fit_temperature
from training.data import DataError, Digits

EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Settings:
    """Every knob of a run, its default the released recipe's; each is an option of the command line."""

    seed: int = 0
    epochs: int = 14
    batch_size: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.05
    # The served weights are a moving average over about this many steps.
    average_steps: int = 500
    validation_images: int = 5000
    # The share of validation digits whose confidence may lie under the threshold of `is_digit`.
    rejected_share: float = 0.005
    # A full run that reads fewer MNIST test images right than this has failed.
    target_accuracy: float = 0.995
    output: str = "runs/latest.pt"


@dataclass
class Run:
    """A model in training: the network that learns, and the average of its weights that is kept."""

    settings: Settings
    network: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator


class InterruptedTrainingError(Exception):
    """Training was interrupted; the message says what is kept."""


def train(settings: Settings, digits: Digits) -> dict[str, Any]:
    """Train on the training set `digits` and give back the best checkpoint. Raises InterruptedTrainingError on Ctrl-C.

    Chooses by a validation split of `digits`; the test set is not known here.
    """
    training, validation = split(digits, settings)
    run = _start(settings, steps=settings.epochs * (len(training) // settings.batch_size))
    best: dict[str, Any] | None = None
    curve: list[dict[str, float]] = []
    try:
        for epoch in range(settings.epochs):
            loss = _train_epoch(run, training, f"epoch {epoch + 1}/{settings.epochs}")
            logits = predict(run.average.module, validation.images)
            accuracy = _accuracy(logits, validation.labels)
            curve.append({"loss": loss, "validation_accuracy": accuracy})
            improved = best is None or accuracy >= best["metrics"]["validation_accuracy"]
            print(
                f"epoch {epoch + 1:2}: loss {loss:.4f}, validation accuracy {accuracy:.2%}{' *' * improved}",
                flush=True,
            )
            if improved:
                best = _checkpoint(run, logits, validation.labels, curve)
                save(best, Path(settings.output))
    except KeyboardInterrupt:
        raise InterruptedTrainingError(
            f"the best model so far is in {settings.output}"
            if best
            else "no epoch was complete, nothing is written"
        ) from None
    if best is None:
        raise ValueError(f"--epochs {settings.epochs} trains nothing: at least 1 is needed")
    return best


def split(digits: Digits, settings: Settings) -> tuple[Digits, Digits]:
    """The part to learn from and the part to choose by: the same for the same seed."""
    order = np.random.default_rng(settings.seed).permutation(len(digits))
    return digits.take(order[settings.validation_images :]), digits.take(order[: settings.validation_images])


def predict(network: nn.Module, images: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """Logits (N, 10) of prepared images, uint8 (N, 28, 28)."""
    network.eval()
    with torch.inference_mode():
        batches = torch.from_numpy(images).unsqueeze(1).split(EVALUATION_BATCH)
        return torch.cat([network(batch.float().div(255)) for batch in batches])


def save(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    torch.save(checkpoint, unfinished)
    unfinished.replace(path)


def _start(settings: Settings, steps: int) -> Run:
    torch.manual_seed(settings.seed)
    network = DigitClassifier().to(memory_format=torch.channels_last)
    average = get_ema_multi_avg_fn(1 - 1 / settings.average_steps)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    return Run(
        settings,
        network,
        AveragedModel(network, multi_avg_fn=average, use_buffers=True),
        optimizer,
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.learning_rate, total_steps=max(steps, 1), pct_start=0.2
        ),
        torch.Generator().manual_seed(settings.seed),
    )


def _train_epoch(run: Run, digits: Digits, title: str) -> float:
    """One pass over the training digits; the mean loss."""
    images, labels = torch.from_numpy(digits.images).unsqueeze(1), torch.from_numpy(digits.labels)
    size = run.settings.batch_size
    order = torch.randperm(len(images), generator=run.generator)
    batches = order[: len(order) // size * size].split(size)
    run.network.train()
    total = 0.0
    with tqdm(batches, desc=title, unit="batch", leave=False) as progress:
        for count, batch in enumerate(progress, 1):
            inputs = augment(images[batch].float().div(255), Strength(), run.generator)
            logits = run.network(inputs.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=run.settings.label_smoothing)
            run.optimizer.zero_grad()
            loss.backward()
            run.optimizer.step()
            run.schedule.step()
            run.average.update_parameters(run.network)
            total += loss.item()
            progress.set_postfix(loss=f"{total / count:.4f}")
    return total / max(len(batches), 1)


def _checkpoint(
    run: Run, logits: Tensor, labels: np.ndarray[Any, np.dtype[np.int64]], curve: list[dict[str, float]]
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
        "digit_threshold": float(np.quantile(confidence, run.settings.rejected_share)),
        "settings": asdict(run.settings) | {"augmentation": asdict(Strength())},
        "metrics": {
            "epochs": len(curve),
            "validation_accuracy": float(correct.mean()),
            "validation_calibration_error": expected_calibration_error(confidence, correct),
            "curve": list(curve),
        },
        "git_revision": _git_revision(),
        "libraries": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),  # a class of its own, which weights_only refuses
            "torchvision": str(torchvision.__version__),
            "numpy": np.__version__,
        },
        "data_checksums": dict(data.CHECKSUMS),
    }


def _accuracy(logits: Tensor, labels: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    return float((logits.argmax(dim=1).numpy() == labels).mean())


def _git_revision() -> str:
    """The commit, marked when the files differ from it; "unknown" outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _test(checkpoint: dict[str, Any]) -> dict[str, float]:
    """The test set, read once, when nothing is left to choose."""
    digits = data.load(train=False)
    network = DigitClassifier()
    network.load_state_dict(checkpoint["state_dict"])
    logits = predict(network, digits.images)
    correct = logits.argmax(dim=1).numpy() == digits.labels
    confidence = confidences(logits, checkpoint["temperature"])
    return {
        "test_accuracy": float(correct.mean()),
        "test_calibration_error": expected_calibration_error(confidence, correct),
    }


def _parse(arguments: list[str]) -> Settings:
    parser = argparse.ArgumentParser(prog="make train ARGS=", description="Train the digit classifier.")
    for field in fields(Settings):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=type(field.default),
            default=field.default,
            metavar=type(field.default).__name__.upper(),
            help=f"default {field.default}",
        )
    return Settings(**vars(parser.parse_args(arguments)))


def main(arguments: list[str]) -> int:
    settings = _parse(arguments)
    started = time.monotonic()
    try:
        best = train(settings, data.load(train=True))
        best["metrics"] |= _test(best) | {"minutes": (time.monotonic() - started) / 60}
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except InterruptedTrainingError as interrupted:
        print(f"\nInterrupted; {interrupted}", file=sys.stderr)
        return 130
    save(best, Path(settings.output))
    accuracy = best["metrics"]["test_accuracy"]
    print(f"{settings.output}: MNIST test accuracy {accuracy:.2%}")
    if accuracy < settings.target_accuracy:
        print(f"The target, {settings.target_accuracy:.2%}, is missed.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
