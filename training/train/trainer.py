"""Train the students of a run in sequence, with a checkpoint and a progress line after each epoch."""

import math
import time
from collections.abc import Mapping
from pathlib import Path

from training.train.checkpoint import Checkpoint, EvaluationData, describe, git_revision, write
from training.train.fit import Plan, count_saved_epochs, train_epochs
from training.train.mix import Mix
from training.train.recipe import Recipe

# The progress line shows accuracies. Losses compare students: a difference of one image in accuracy is chance.
ACCURACIES = {
    "validation_accuracy": "validation",
    "held_out_accuracy": "held-out styles",
    "people_accuracy": "held-out writers",
}
LOSSES = ("validation_loss", "held_out_loss", "people_loss")


def train_students(
    plans: Mapping[Path, Plan],
    recipe: Recipe,
    mix: Mix,
    selection: EvaluationData,
    *,
    folder: Path,
    begun: float,
) -> float:
    """Train networks, write the checkpoint of each to its path after each epoch; return the minutes of the run.

    The minutes count from `begun`, a time.monotonic() before the drawings were made. Those of an interrupted run are
    added when this run resumes it.
    """
    revision = git_revision()  # at the start, because files can change during the run
    saved = 0
    for plan in plans.values():
        if epochs := count_saved_epochs(plan, recipe, folder):
            print(f"{plan.name}: resumed after epoch {epochs} of {plan.epochs}", flush=True)
        saved += epochs
    minutes_file = folder / "minutes"
    minutes = earlier = float(minutes_file.read_text(encoding="ascii")) if saved else 0.0
    left = sum(plan.epochs for plan in plans.values()) - saved
    started, done = time.monotonic(), 0
    for output, plan in plans.items():
        for network, curve in train_epochs(plan, mix, recipe, folder):
            content = describe(network, selection, recipe, revision)
            metrics = content["metrics"]
            # Without real drawings there are no metrics of people.
            curve[-1] |= {name: metrics[name] for name in (*ACCURACIES, *LOSSES) if name in metrics}
            metrics |= {"epochs": len(curve), "curve": curve}
            write(content, output)
            done += 1
            shares = [f"{title} {metrics[name]:.2%}" for name, title in ACCURACIES.items() if name in metrics]
            reached = ", ".join([f"loss {curve[-1]['loss']:.4f}", *shares])
            minutes_left = (time.monotonic() - started) / done * (left - done) / 60
            time_left = f"{minutes_left:.0f} min left" if minutes_left >= 1 else "less than a minute left"
            print(f"{plan.name}, epoch {len(curve):2} of {plan.epochs}: {reached}; {time_left}", flush=True)
            minutes = earlier + (time.monotonic() - begun) / 60
            minutes_file.write_text(str(minutes), encoding="ascii")
    return minutes


def selection_loss(student: Checkpoint) -> float:
    """Sum of the losses of a student's checkpoint on the selection data; infinite without any."""
    return sum(student["metrics"].get(name, 0.0) for name in LOSSES) or math.inf
