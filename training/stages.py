"""The networks of a run, one after the other: what each epoch reached, how long the rest will take."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from training.checkpoint import ChosenBy, describe, git_revision, write
from training.fit import Curve, Plan, count_saved_epochs, fit
from training.mix import Mix
from training.recipe import Recipe

# What each epoch is shown by, and what students are compared by: how likely the labels are. Of a few thousand drawings
# one more read right is chance.
ACCURACIES = {
    "validation_accuracy": "validation",
    "held_out_accuracy": "held-out styles",
    "people_accuracy": "held-out writers",
}
LOSSES = ("validation_loss", "held_out_loss", "people_loss")


@dataclass
class Stages:
    """The networks of a run, one after the other, and how long the rest of them will take."""

    recipe: Recipe
    mix: Mix
    chosen_by: ChosenBy
    folder: Path
    begun: float  # by time.monotonic, before the drawings were made
    revision: str = field(default_factory=git_revision)  # of the start: files may change while it trains
    _epochs_left: int = 0
    _epochs_done: int = 0
    _started: float = field(default_factory=time.monotonic)
    _earlier: float = 0.0  # minutes, of an interrupted run that this one goes on from

    @property
    def minutes(self) -> float:
        """How long it has trained, with the epochs that an interrupted run has left."""
        return self._earlier + (time.monotonic() - self.begun) / 60

    @property
    def _minutes_file(self) -> Path:
        return self.folder / "minutes"

    def expect(self, plans: Sequence[Plan]) -> None:
        """What lies ahead, without the epochs that an interrupted run has left."""
        for plan in plans:
            first = count_saved_epochs(plan, self.recipe, self.folder)
            if first:
                self._earlier = float(self._minutes_file.read_text(encoding="ascii"))
                print(f"{plan.name}: resumed after epoch {first} of {plan.epochs}", flush=True)
            self._epochs_left += plan.epochs - first

    def run(self, plan: Plan, output: Path) -> None:
        """Train a network; after each epoch the checkpoint `output` is the latest."""

        def after_epoch(network: nn.Module, curve: Curve) -> dict[str, float]:
            content = describe(network, self.chosen_by, self.recipe, self.revision)
            # Without people's drawings nothing is measured by these.
            shown = {*ACCURACIES, *LOSSES}
            reached = {name: value for name, value in content["metrics"].items() if name in shown}
            content["metrics"] |= {"epochs": len(curve), "curve": [*curve[:-1], curve[-1] | reached]}
            write(content, output)
            self._epochs_done += 1
            self._epochs_left -= 1
            accuracies = (
                f"{title} {reached[name]:.2%}" for name, title in ACCURACIES.items() if name in reached
            )
            print(
                f"{plan.name}, epoch {len(curve):2} of {plan.epochs}: loss {curve[-1]['loss']:.4f}, "
                f"{', '.join(accuracies)}; {self._left()}",
                flush=True,
            )
            self._minutes_file.write_text(str(self.minutes), encoding="ascii")
            return reached

        fit(plan, self.mix, self.recipe, self.folder, after_epoch)

    def _left(self) -> str:
        seconds = (time.monotonic() - self._started) / self._epochs_done * self._epochs_left
        return f"{seconds / 60:.0f} min left" if seconds >= 60 else "less than a minute left"


def sum_of_losses(reached: dict[str, float]) -> float:
    """What students are compared by: the less the better, infinite where nothing was measured."""
    return sum(reached[name] for name in LOSSES if name in reached) or math.inf
