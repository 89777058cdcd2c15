"""What a checkpoint holds: the weights, and all that is needed to serve, judge and repeat them, in plain types.

    content = describe(network, chosen_by, recipe, git_revision())
    write(content, Path("runs/latest.pt"))

Its metrics are those of drawings that the network did not learn from: MNIST's validation split and the held-out styles.
"""

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import nn

from handler.looks import looking_again
from handler.onnx_session import FLOAT32, INT8, eager
from handler.predictor import UNCHANGED, digit_probabilities, digit_scores, log_odds
from training import data, pen_data
from training.batches import batches
from training.calibration import (
    area_under_curve,
    expected_calibration_error,
    fit_score_line,
    fit_temperature,
)
from training.data import Digits
from training.recipe import Recipe
from training.strokes.generate import FIRST_WRITER_STYLE, NO_DIGIT, Drawings

ROOT = Path(__file__).resolve().parent.parent
# Chosen by validation and held-out styles (benchmarks/training.md): most of what three looks at everything bring, for a
# tenth more work on MNIST's digits.
LOOK_AGAIN_BELOW = 0.95


@dataclass(frozen=True)
class ChosenBy:
    """What decides on epoch, temperature and threshold, and is never learned from."""

    validation: Digits
    held_out: Drawings


def describe(
    network: nn.Module,
    chosen_by: ChosenBy,
    recipe: Recipe,
    revision: str,
    none_called_digit: float | None = None,
) -> dict[str, Any]:
    """The checkpoint of a network, with temperature, threshold and metrics by what it did not learn from.

    The threshold rejects at most the recipe's share of the digits in MNIST's validation split, in held-out styles and
    by each held-out writer; or it accepts the share `none_called_digit` of non-digits, 0 to 1, and at least one.
    """
    none = chosen_by.held_out.labels == NO_DIGIT
    of_none = logits_of(network, chosen_by.held_out.images[none])
    # Groups of people, as it were, each of the same weight: none should be told too much or too little.
    answered = {
        name: (logits_of(network, digits.images), digits.labels) for name, digits in groups(chosen_by).items()
    }
    temperature = fit_temperature(*zip(*answered.values(), strict=True))
    line = UNCHANGED
    none_by_people = of_none[chosen_by.held_out.styles[none] >= FIRST_WRITER_STYLE]
    if "people" in answered and len(none_by_people):
        odds = (log_odds(logits, temperature) for logits in (answered["people"][0], none_by_people))
        line = fit_score_line(*odds)
    scores = {name: digit_scores(logits, temperature, line) for name, (logits, _) in answered.items()}
    scores_of_none = digit_scores(of_none, temperature, line)
    others = [group for name, group in scores.items() if name != "people"]
    writers = _by_writer(scores["people"], chosen_by.held_out.styles[~none]) if "people" in answered else []
    if none_called_digit is None:
        threshold = _threshold([*others, *writers], recipe.rejected_share)
    else:
        threshold = float(np.quantile(scores_of_none, 1 - none_called_digit))
    metrics: dict[str, float] = {}
    for name, (logits, truth) in answered.items():
        probabilities = digit_probabilities(logits, temperature)
        correct = probabilities.argmax(axis=1) == truth
        metrics[f"{name}_accuracy"] = float(correct.mean())
        metrics[f"{name}_loss"] = float(-np.log(probabilities[np.arange(len(truth)), truth]).mean())
        metrics[f"{name}_calibration_error"] = expected_calibration_error(probabilities.max(axis=1), correct)
        if name != "validation":
            metrics[f"{name}_area_under_curve"] = area_under_curve(scores[name], scores_of_none)
    if writers:
        metrics["people_rejected"] = _rejected_by_others(writers, others, recipe.rejected_share)
    metrics["held_out_none_called_digit"] = float((scores_of_none >= threshold).mean())
    return {
        "state_dict": {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()},
        "temperature": temperature,
        "digit_threshold": threshold,
        "look_again_below": LOOK_AGAIN_BELOW,
        "score_line": list(line),
        "settings": asdict(recipe),
        "metrics": metrics,
        "git_revision": revision,
        "libraries": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),  # a class of its own, which weights_only refuses
            "torchvision": str(torchvision.__version__),
            "numpy": np.__version__,
        },
        "data_checksums": data.CHECKSUMS
        | ({} if recipe.without_real_drawings else {file.name: file.sha256 for file in pen_data.LEARNED}),
    }


def _by_writer(scores: NDArray[np.float64], styles: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """The scores (N,) of people's digits for each writer; `styles` are those of all held-out digits."""
    of_people = styles[styles >= FIRST_WRITER_STYLE]
    return [scores[of_people == writer] for writer in np.unique(of_people)]


def _threshold(groups: Sequence[NDArray[np.float64]], share: float) -> float:
    """The score that rejects at most this share of the digits in each group, 0 to 1."""
    return min(float(np.quantile(scores, share)) for scores in groups)


def _rejected_by_others(
    writers: Sequence[NDArray[np.float64]], others: Sequence[NDArray[np.float64]], share: float
) -> float:
    """The share of the writers' digits that is rejected if all other groups choose the threshold for each writer."""
    rejected = 0
    for number, scores in enumerate(writers):
        threshold = _threshold([*others, *writers[:number], *writers[number + 1 :]], share)
        rejected += np.count_nonzero(scores < threshold)
    return float(rejected / sum(map(len, writers)))


def groups(chosen_by: ChosenBy) -> dict[str, Digits]:
    """The digits by what they are of: MNIST's validation split, held-out styles and, if there are any, people."""
    drawn = chosen_by.held_out
    found = {"validation": chosen_by.validation}
    for name, of_group in (
        ("held_out", drawn.styles < FIRST_WRITER_STYLE),
        ("people", drawn.styles >= FIRST_WRITER_STYLE),
    ):
        chosen = of_group & (drawn.labels != NO_DIGIT)
        if chosen.any():
            found[name] = Digits(drawn.images[chosen], drawn.labels[chosen])
    return found


def logits_of(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, outputs) of prepared images, uint8 (N, 28, 28), as the network serves."""
    logits = looking_again(eager(network.eval()), LOOK_AGAIN_BELOW)
    parts = [logits(batch) for batch in batches(images)]
    return np.concatenate(parts) if parts else np.empty((0, NO_DIGIT + 1), np.float32)


def write(content: dict[str, Any], path: Path) -> None:
    """Write it whole or not at all; what lies beside it of an earlier one goes, for it is of other weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (FLOAT32, INT8, ".json"):
        path.with_suffix(suffix).unlink(missing_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    torch.save(content, unfinished)
    unfinished.replace(path)


def write_description(content: dict[str, Any], path: Path) -> None:
    """All but the weights as JSON, beside the checkpoint `path`: for whoever keeps account of runs without torch."""
    known = {name: value for name, value in content.items() if name != "state_dict"}
    path.with_suffix(".json").write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def git_revision() -> str:
    """The commit, marked "-dirty" when what trains differs from it; "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        dirty = "-dirty" if git("status", "--porcelain", "--", "handler", "training/*.py") else ""
        return git("rev-parse", "HEAD") + dirty or "unknown"
    except FileNotFoundError:  # no git here
        return "unknown"
