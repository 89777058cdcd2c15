"""Checkpoint content: weights, calibration, settings, metrics and provenance, in plain types.

    content = describe(network, selection, recipe, git_revision())
    write(content, Path("runs/latest.pt"))

The metrics are measured on the selection data: MNIST's validation split, held-out styles and held-out writers.
"""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn

from handler.model import OUTPUTS
from handler.onnx_session import FLOAT32, INT8, eager
from handler.predictor import UNCHANGED, digit_probabilities, digit_scores, log_odds
from handler.tta import add_tta
from training.data import mnist as data
from training.data import pen_data
from training.data.mnist import Digits
from training.evaluate.batches import batches
from training.strokes.generate import FIRST_WRITER_STYLE, NO_DIGIT, Drawings
from training.train.calibration import (
    area_under_curve,
    expected_calibration_error,
    fit_score_line,
    fit_temperature,
)
from training.train.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
# Test-time augmentation below this probability. Selected on the selection data (benchmarks/training.md): most of the
# gain of augmentation for every image, for a tenth more work on MNIST digits.
TTA_BELOW = 0.9


class Description(TypedDict):
    """Everything in a checkpoint except the weights, also the JSON beside it. Shares and accuracies are 0 to 1."""

    temperature: float
    digit_threshold: float
    look_again_below: float  # the limit for TTA
    score_line: list[float]  # slope and intercept
    settings: dict[str, Any]  # of the recipe
    # Numbers by name; `curve` has those of each epoch, `students` those of each seed.
    metrics: dict[str, Any]
    git_revision: str
    libraries: dict[str, str]  # versions
    data_checksums: dict[str, str]
    seed: NotRequired[int]
    # Of a challenger: the version that it started from, and the labels that it learned by drawing id.
    champion: NotRequired[str]
    interpolation_factor: NotRequired[float]
    labelled_drawings: NotRequired[dict[str, int]]


class Checkpoint(Description):
    """A trained network with its description."""

    state_dict: dict[str, Tensor]


@dataclass(frozen=True)
class EvaluationData:
    """Data that no network learns from: it selects student, temperature and threshold, or compares networks."""

    validation: Digits
    held_out: Drawings

    @property
    def non_digits(self) -> NDArray[np.uint8]:
        """The held-out non-digits, uint8 (N, 28, 28)."""
        return self.held_out.images[self.held_out.labels == NO_DIGIT]


def describe(
    network: nn.Module,
    selection: EvaluationData,
    recipe: Recipe,
    revision: str,
    accepted_share: float | None = None,
) -> Checkpoint:
    """The checkpoint of a network; temperature, threshold and metrics are computed on the selection data.

    The threshold rejects at most the recipe's share of the digits in MNIST's validation split and of each held-out
    writer. Held-out styles count only without writers: the rarest styles would lower it for all people. With
    `accepted_share`, 0 to 1, it accepts this share of non-digits, at least one.
    """
    is_other = selection.held_out.labels == NO_DIGIT
    styles = selection.held_out.styles
    other_logits = compute_logits(network, selection.non_digits)
    # The groups have equal weight: confidence must be calibrated for each.
    answered = {
        name: (compute_logits(network, digits.images), digits.labels)
        for name, digits in digit_groups(selection).items()
    }
    temperature = fit_temperature(*zip(*answered.values(), strict=True))
    line = UNCHANGED
    others_by_people = other_logits[styles[is_other] >= FIRST_WRITER_STYLE]
    if "people" in answered and len(others_by_people):
        odds = [log_odds(logits, temperature) for logits in (answered["people"][0], others_by_people)]
        line = fit_score_line(*odds)
    scores = {name: digit_scores(logits, temperature, line) for name, (logits, _) in answered.items()}
    other_scores = digit_scores(other_logits, temperature, line)
    writer = styles[~is_other & (styles >= FIRST_WRITER_STYLE)]
    writers = [scores["people"][writer == number] for number in np.unique(writer)]
    if accepted_share is None:
        groups = [scores["validation"], *writers] if writers else list(scores.values())
        threshold = _threshold(groups, recipe.rejected_share)
    else:
        threshold = float(np.quantile(other_scores, 1 - accepted_share))
    metrics: dict[str, float] = {}
    for name, (logits, truth) in answered.items():
        probabilities = digit_probabilities(logits, temperature)
        metrics |= measure_accuracy(name, probabilities, truth)
        metrics[f"{name}_loss"] = float(-np.log(probabilities[np.arange(len(truth)), truth]).mean())
        if name != "validation":
            metrics[f"{name}_area_under_curve"] = area_under_curve(scores[name], other_scores)
    if writers:
        metrics["people_rejected"] = _cross_validate_rejection(
            writers, scores["validation"], recipe.rejected_share
        )
    if len(other_scores):
        metrics["held_out_none_called_digit"] = float((other_scores >= threshold).mean())
    learned = () if recipe.without_real_drawings else pen_data.LEARNED
    return {
        "state_dict": {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()},
        "temperature": temperature,
        "digit_threshold": threshold,
        "look_again_below": TTA_BELOW,
        "score_line": list(line),
        "settings": asdict(recipe),
        "metrics": metrics,
        "git_revision": revision,
        "libraries": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),  # a str: weights_only rejects the class TorchVersion
            "torchvision": str(torchvision.__version__),
            "numpy": np.__version__,
        },
        "data_checksums": data.CHECKSUMS | {file.name: file.sha256 for file in learned},
    }


def measure_accuracy(
    name: str, probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> dict[str, float]:
    """Accuracy and calibration error of probabilities, (N, 10), and labels, (N,), under keys with this name."""
    correct = probabilities.argmax(axis=1) == truth
    return {
        f"{name}_accuracy": float(correct.mean()),
        f"{name}_calibration_error": expected_calibration_error(probabilities.max(axis=1), correct),
    }


def _threshold(groups: Sequence[NDArray[np.float64]], share: float) -> float:
    """The score that rejects at most this share, 0 to 1, of the digits in each group."""
    return min(float(np.quantile(scores, share)) for scores in groups)


def _cross_validate_rejection(
    writers: Sequence[NDArray[np.float64]], validation: NDArray[np.float64], share: float
) -> float:
    """The rejected share of the writers' digits; for each writer, the others and MNIST select the threshold."""
    rejected = 0
    for number, scores in enumerate(writers):
        threshold = _threshold([validation, *writers[:number], *writers[number + 1 :]], share)
        rejected += np.count_nonzero(scores < threshold)
    return float(rejected / sum(map(len, writers)))


def digit_groups(selection: EvaluationData) -> dict[str, Digits]:
    """The digits of the selection data: MNIST's validation split, held-out styles and held-out writers, if any."""
    held_out = selection.held_out
    groups = {"validation": selection.validation}
    by_people = held_out.styles >= FIRST_WRITER_STYLE
    for name, of_group in (("held_out", ~by_people), ("people", by_people)):
        chosen = of_group & (held_out.labels != NO_DIGIT)
        if chosen.any():
            groups[name] = Digits(held_out.images[chosen], held_out.labels[chosen])
    return groups


def compute_logits(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits, float32 (N, outputs), of prepared images, uint8 (N, 28, 28), with TTA as in service."""
    logits = add_tta(eager(network.eval()), TTA_BELOW)
    parts = [logits(batch) for batch in batches(images)]
    return np.concatenate(parts) if parts else np.empty((0, OUTPUTS), np.float32)


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint atomically, and delete the ONNX files and the description of an earlier one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (FLOAT32, INT8, ".json"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    torch.save(dict(content), unfinished)
    unfinished.replace(path)


def write_description(content: Mapping[str, Any], path: Path) -> None:
    """Write everything except the weights as JSON beside the checkpoint `path`, for readers without torch."""
    known = {name: value for name, value in content.items() if name != "state_dict"}
    path.with_suffix(".json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def git_revision() -> str:
    """The git commit, with "-dirty" if handler/ or training/ has changes; "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "handler", "training", ":!training/release")
        return git("rev-parse", "HEAD") + "-dirty" * bool(changed) or "unknown"
    except FileNotFoundError:  # git is not installed
        return "unknown"
