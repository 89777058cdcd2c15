"""Train the students of a run in sequence, with a checkpoint and a progress line after each epoch."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.train.checkpoint import Checkpoint, SelectionData, describe, git_revision, write
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
SHOWN = (*ACCURACIES, *LOSSES)


@dataclass
class Trainer:
    """Trains students and estimates the remaining time."""

    recipe: Recipe
    mix: Mix
    selection: SelectionData
    folder: Path
    begun: float  # time.monotonic() before the drawings were made
    # At the start, because files can change during the run.
    revision: str = field(default_factory=git_revision)
    _epochs_left: int = 0
    _epochs_done: int = 0
    _started: float = field(default_factory=time.monotonic)
    _earlier: float = 0.0  # minutes of the interrupted run that this one resumes

    @property
    def minutes(self) -> float:
        """Duration of the run, including the interrupted run that it resumes."""
        return self._earlier + (time.monotonic() - self.begun) / 60

    @property
    def _minutes_file(self) -> Path:
        return self.folder / "minutes"

    def count_epochs(self, plans: Sequence[Plan]) -> None:
        """Count the epochs to train, and print where an interrupted run resumes."""
        for plan in plans:
            first = count_saved_epochs(plan, self.recipe, self.folder)
            if first:
                self._earlier = float(self._minutes_file.read_text(encoding="ascii"))
                print(f"{plan.name}: resumed after epoch {first} of {plan.epochs}", flush=True)
            self._epochs_left += plan.epochs - first

    def train(self, plan: Plan, output: Path) -> None:
        """Train a network and write the checkpoint `output` after each epoch."""
        for network, curve in train_epochs(plan, self.mix, self.recipe, self.folder):
            content = describe(network, self.selection, self.recipe, self.revision)
            # Without real drawings there are no metrics of people.
            curve[-1] |= {name: content["metrics"][name] for name in SHOWN if name in content["metrics"]}
            content["metrics"] |= {"epochs": len(curve), "curve": curve}
            write(content, output)
            self._epochs_done += 1
            self._epochs_left -= 1
            shown = [f"loss {curve[-1]['loss']:.4f}"]
            shown += [f"{t} {curve[-1][name]:.2%}" for name, t in ACCURACIES.items() if name in curve[-1]]
            epoch = f"{plan.name}, epoch {len(curve):2} of {plan.epochs}"
            print(f"{epoch}: {', '.join(shown)}; {self._left()}", flush=True)
            self._minutes_file.write_text(str(self.minutes), encoding="ascii")

    def _left(self) -> str:
        seconds = (time.monotonic() - self._started) / self._epochs_done * self._epochs_left
        return f"{seconds / 60:.0f} min left" if seconds >= 60 else "less than a minute left"


def selection_loss(student: Checkpoint) -> float:
    """Sum of the losses of a student's checkpoint on the selection data; infinite without any."""
    return sum(student["metrics"].get(name, 0.0) for name in LOSSES) or math.inf
