"""Train a challenger from the model that serves and from what people labelled, and say whether it may follow.

    python -m training.retrain --champion 1.1 --checkpoint model_store/mnist-1.1.mar --output var/retrain

Writes challenger.pt, report.txt and report.html there. Ends with status 0 when the challenger is not worse at
anything and better on people's drawings beyond chance, with 3 when it is not, and with 1 when there is nothing to
compare. By what its distance from the champion, its temperature and its threshold are chosen, it is not judged
(training/halves.py). Nothing is archived or swapped here: `make retrain` archives a challenger that wins
(ops/retrain.py).
"""

import argparse
import json
import shutil
import sys
import time
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

import settings
from handler.model import DigitClassifier, restored
from handler.predictor import Predictor
from training import data, pen_data
from training.archive import RELEASED_CHECKPOINT, WEIGHTS
from training.archived import AnyPredictor
from training.checkpoint import ChosenBy, describe, git_revision, write, write_description
from training.data import DataError
from training.drawings import prepare_drawings
from training.evaluate import ModelError, load
from training.fit import Curve, Plan, fit
from training.halves import halves
from training.judge import JudgedBy, judge, what_was_known
from training.labelled import Labelled, LabelledError, fetch
from training.measure import answers
from training.mix import Mix
from training.onnx_export import export
from training.recipe import Recipe
from training.retrain_report import Report
from training.screen import screen
from training.strokes.generate import NO_DIGIT
from training.train import split

LOST = 3  # the exit status of a challenger that may not follow
# With fewer, chance decides what was better.
FEWEST = 100
# The champion knows most of it: a few minutes at a low rate, of the mix that it learned from and of labelled drawings.
# More of that than in training is no digit: what people's own ways blur first is the border to it.
RECIPE = Recipe(
    epochs=1,
    drawn_images=24_000,
    drawn_none=0.4,
    renderings=3,
    none_share=0.25,
    learning_rate=5e-4,
    labelled_share=0.12,
    average_steps=200,
)
# Shares of the way from the champion's weights to those that it came to: the first by which nothing known is lost, as
# far as the half that chooses can tell, is taken, else the last. Half of the way keeps most of what is new: M. Wortsman
# et al., "Robust fine-tuning of zero-shot models", 2022.
OF_THE_WAY = (0.5, 0.35, 0.2, 0.1)


@dataclass(frozen=True)
class Champion:
    """The version that serves: how it answers, and the file of its weights."""

    version: str
    predictor: AnyPredictor
    checkpoint: Path


def retrain(champion: Champion, labelled: Labelled, folder: Path, recipe: Recipe) -> Report:
    """Train and judge; the challenger's checkpoint and its networks for ONNX Runtime lie in `folder` after it.

    Raises ValueError where too little is labelled,
    DataError where MNIST is missing, PenDataError where the recipe needs pen strokes that are missing.
    """
    started = time.monotonic()
    before = champion.predictor
    start = _start(champion)
    to_learn, held_labelled = labelled.split()
    screened = screen(before, start, to_learn)
    if len(screened.kept) < FEWEST or len(held_labelled) < FEWEST * 0.2:
        raise ValueError(
            f"{len(labelled)} labelled drawings: {len(screened.kept)} for training ({FEWEST} needed), "
            f"{len(held_labelled)} for evaluation ({FEWEST * 0.2:.0f} needed). Draw and label more on the page."
        )
    learned, validation = split(data.load(train=True), recipe)
    drawings, held_out = prepare_drawings(recipe, folder)
    choosing, judging = halves(validation, held_out)
    mix = Mix(learned, drawings, recipe, screened.kept.digits)
    end, curve = _trained(start, mix, recipe, folder)
    path = folder / "challenger.pt"
    # As strict as the champion: people shall see a model that tells better, not one whose border lies elsewhere. And a
    # little more, half of what chance is worth here, or the half that judges would see one in two less strict.
    passed = answers(before, choosing[1].images[choosing[1].labels == NO_DIGIT]).is_digit
    none_called_digit = max(0.0, float(passed.mean() - passed.std() / len(passed) ** 0.5 / 2))
    for share in OF_THE_WAY:
        network = between(start, end, share)
        content = describe(network, ChosenBy(*choosing), recipe, git_revision(), none_called_digit)
        content["champion"] = champion.version
        content["of_the_way"] = share
        content["labelled_drawings"] = screened.kept.labels()
        content["metrics"] |= {"curve": curve, "minutes": (time.monotonic() - started) / 60}
        write(content, path)
        export(path)
        after = Predictor.load(path, "challenger")
        if all(line.holds for line in what_was_known(before, after, *choosing)):
            break
    print(f"weight interpolation factor: {share:g} (0: start, 1: retrained)", flush=True)
    verdict = judge(before, after, JudgedBy(*judging, held_labelled))
    write_description(content | {"judged": [asdict(line) for line in verdict.lines]}, path)
    return Report(champion.version, before, after, labelled, held_labelled, screened, verdict)


def _start(champion: Champion) -> DigitClassifier:
    """The network to train on: the champion's, or the release's if the champion's layers are others."""
    state, released = (
        torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        for path in (champion.checkpoint, RELEASED_CHECKPOINT)
    )
    if _layers(state) != _layers(released):
        print(
            f"version {champion.version} has another network: training starts from {RELEASED_CHECKPOINT.name}",
            flush=True,
        )
        state = released
    return restored(state).eval().to(memory_format=torch.channels_last)


def _layers(state: Mapping[str, torch.Tensor]) -> list[tuple[int, ...]]:
    """The kernel of each convolution and the outputs of each linear layer, whatever their width."""
    return [
        weight.shape[2:] if weight.dim() == 4 else weight.shape[:1]
        for weight in state.values()
        if weight.dim() in (2, 4)
    ]


def _trained(start: DigitClassifier, mix: Mix, recipe: Recipe, folder: Path) -> tuple[DigitClassifier, Curve]:
    """The network trained on, and what each epoch was like."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)  # it takes minutes: always from the start
    work.mkdir(parents=True)

    curve: Curve = []

    def after_epoch(_: torch.nn.Module, so_far: Curve) -> dict[str, float]:
        curve[:] = so_far
        print(f"epoch {len(curve)} of {recipe.epochs}: loss {curve[-1]['loss']:.4f}", flush=True)
        return {}

    channels = [weight.shape[0] for weight in start.state_dict().values() if weight.dim() == 4]
    plan = Plan("challenger", channels, recipe.epochs, recipe.seed, start)
    network = fit(plan, mix, recipe, work, after_epoch)
    shutil.rmtree(work)
    return network, curve


def between(start: torch.nn.Module, end: torch.nn.Module, share: float) -> DigitClassifier:
    """The network whose weights lie this share, 0 to 1, of the way from one's to the other's."""
    ends = end.state_dict()
    return restored(
        {
            name: weights.lerp(ends[name], share) if weights.is_floating_point() else ends[name]
            for name, weights in start.state_dict().items()
        }
    )


def unpacked(path: Path, folder: Path) -> Path:
    """The checkpoint itself, or that of an archive, unpacked in `folder`."""
    if path.suffix != ".mar":
        return path
    with zipfile.ZipFile(path) as contents:
        return Path(contents.extract(WEIGHTS, folder / "champion"))


def _changed(labels: dict[str, int], folder: Path) -> dict[str, Any]:
    """How the labels differ from those of the last run here, which these replace."""
    path = folder / "labels.json"
    before: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(labels) + "\n", encoding="utf-8")
    return {
        "new": sorted(labels.keys() - before.keys()),
        "gone": sorted(before.keys() - labels.keys()),
        "changed": {
            id_: (before[id_], label) for id_, label in labels.items() if before.get(id_, label) != label
        },
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description="Train a challenger on labelled drawings and compare it with the champion."
    )
    parser.add_argument("--champion", required=True, help="the default version")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="checkpoint or archive of the champion"
    )
    parser.add_argument("--output", type=Path, required=True, help="the folder of challenger and report")
    options = parser.parse_args(arguments)
    # A system serves beside it: that keeps its cores; and two threads on busy ones take 3 to 5 times as long as one,
    # for they wait for each other.
    torch.set_num_threads(1)
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("challenger.*"):  # of an earlier run: nobody shall take it for this one's
        left.unlink()
    recipe = replace(RECIPE, without_real_drawings=bool(pen_data.missing(pen_data.folder())))
    if recipe.without_real_drawings:
        print("without people's pen strokes; `make data` fetches them", flush=True)
    with ExitStack() as until:
        try:
            predictor = load(options.checkpoint, until)
            champion = Champion(options.champion, predictor, unpacked(options.checkpoint, folder))
            labelled = fetch(settings.DATABASE_URL.read(), settings.DATABASE_PASSWORD.read())
            report = retrain(champion, labelled, folder, recipe)
        except (DataError, LabelledError, ModelError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
        report.write(folder, _changed(labelled.labels(), folder))
    print(report.text())
    print(f"\nreport: {folder / 'report.html'}")
    return 0 if report.verdict.wins else LOST


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
