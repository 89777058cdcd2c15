"""The networks of a run, one after the other: what each epoch reached, which is kept, how long the rest will take."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from handler.model import CHANNELS, DigitClassifier
from training.checkpoint import ChosenBy, describe, git_revision, write
from training.fit import Curve, Plan, epochs_done, fit
from training.mix import Mix
from training.recipe import Recipe

ACCURACIES = ("validation_accuracy", "held_out_accuracy", "people_accuracy")
# What the best epoch is told by: how likely the labels are. Of a few thousand drawings one more read right is chance.
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
    _ahead: float = 0.0
    _done: float = 0.0
    _started: float = field(default_factory=time.monotonic)
    _earlier: float = 0.0  # minutes, of an interrupted run that this one goes on from

    @property
    def minutes(self) -> float:
        """How long it has trained, with the epochs that an interrupted run has left."""
        return self._earlier + (time.monotonic() - self.begun) / 60

    @property
    def _minutes_file(self) -> Path:
        return self.folder / "minutes"

    def expect(self, teachers: Sequence[Plan], students: Sequence[Plan]) -> None:
        """What lies ahead, without the epochs that an interrupted run has left."""
        for plan in (*teachers, *students):
            first = epochs_done(plan, self.recipe, self.folder)
            if first:
                self._earlier = float(self._minutes_file.read_text(encoding="ascii"))
                print(f"{plan.name}: resumed after epoch {first} of {plan.epochs}", flush=True)
            taught = plan in students
            first = max(first, plan.shared_epochs(self.recipe))
            self._ahead += sum(self._work(plan, epoch, taught=taught) for epoch in range(first, plan.epochs))

    def run(self, plan: Plan, output: Path | None = None) -> DigitClassifier:
        """Train one; of a teacher nothing is kept.

        Of a student the best of the last epochs, and until then the latest, becomes the checkpoint `output`.
        """

        def after_epoch(network: nn.Module, curve: Curve) -> dict[str, float]:
            content = describe(network, self.chosen_by, self.recipe, self.revision)
            # Without people's drawings nothing is measured by these.
            reached = {
                name: value for name, value in content["metrics"].items() if name in ACCURACIES + LOSSES
            }
            earlier = curve[max(plan.epochs - self.recipe.last_epochs, 0) : -1]
            best = output is not None and (not output.exists() or _is_best(reached, earlier))
            if output and best:
                content["metrics"] |= {"epochs": len(curve), "curve": [*curve[:-1], curve[-1] | reached]}
                write(content, output)
            self._done += self._work(plan, len(curve) - 1, taught=output is not None)
            print(
                f"{plan.name}, epoch {len(curve):2} of {plan.epochs}: loss {curve[-1]['loss']:.4f}, "
                + ", ".join(
                    f"{name} {reached[key]:.2%}"
                    for key, name in zip(ACCURACIES, ("validation", "held-out styles", "people"), strict=True)
                    if key in reached
                )
                + f"{' *' * best}; {self._left()}",
                flush=True,
            )
            self._minutes_file.write_text(str(self.minutes), encoding="ascii")
            return reached

        return fit(plan, self.mix, self.recipe, self.folder, after_epoch)

    def _work(self, plan: Plan, epoch: int, *, taught: bool) -> float:
        """In steps of the student without teachers; what a network costs goes with the square of its width."""
        cost = (plan.channels[0] / CHANNELS[0]) ** 2
        if taught:  # it asks each teacher, forwards alone
            cost += self.recipe.teachers * self.recipe.teacher_width**2 / 4
        return cost * plan.steps(epoch, self.mix, self.recipe)

    def _left(self) -> str:
        seconds = (time.monotonic() - self._started) / self._done * max(self._ahead - self._done, 0)
        return f"{seconds / 60:.0f} min left" if seconds >= 60 else "less than a minute left"


def sum_of_losses(reached: dict[str, float]) -> float:
    """What epochs and students are compared by: the less the better, infinite where nothing was measured."""
    return sum(reached[name] for name in LOSSES if name in reached) or math.inf


def _is_best(reached: dict[str, float], earlier: Curve) -> bool:
    return all(sum_of_losses(reached) <= sum_of_losses(epoch) for epoch in earlier)
