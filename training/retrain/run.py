"""Train a challenger on labelled drawings, starting from the champion, and compare both.

    python -m training.retrain --champion 1.1 --checkpoint model_store/mnist-1.1.mar --output var/retrain

Writes challenger.pt, report.txt and report.html to the output folder. Exit status 0: the challenger is better on
labelled drawings and nowhere worse; 3: it is not; 1: there is no challenger, for example because labels are missing.
Selection and test use different data (selection_split.py). `make retrain` archives a winner (ops/versions/retrain.py).
"""

import argparse
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

import settings
from handler.model import DigitClassifier, restore_model
from handler.predictor import Predictor
from training.archive.pack import RELEASED_CHECKPOINT, WEIGHTS
from training.data import mnist as data
from training.data import pen_data
from training.data.download import DataError
from training.evaluate.archived_predictor import AnyPredictor
from training.evaluate.measure import answers
from training.evaluate.run import ModelError, load
from training.retrain.judge import compare_held_out, judge
from training.retrain.labelled import Labelled, LabelledError, fetch, read
from training.retrain.report import Changes, Report
from training.retrain.screen import screen
from training.retrain.selection_split import split_for_selection
from training.train.checkpoint import EvaluationData, describe, git_revision, write, write_description
from training.train.drawings import prepare_drawings
from training.train.fit import Curve, Plan, train_epochs
from training.train.mix import Mix
from training.train.onnx_export import export
from training.train.recipe import Recipe
from training.train.run import split

REJECTED = 3  # exit status if the challenger does not win
# Labelled drawings for training; with fewer, chance decides the comparison.
FEWEST = 100
# A short run at a low learning rate, on the training mix and labelled drawings. The share of non-digits is higher than
# in training, because a network that learns a new writing style first starts to accept more non-digits.
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
# Weight interpolation factors, 0 for the champion and 1 for the retrained network. The first one without a loss on the
# selection split is used, else the last. A factor of 0.5 keeps most of the gain: M. Wortsman et al., "Robust
# fine-tuning of zero-shot models", 2022.
INTERPOLATION_FACTORS = (0.5, 0.35, 0.2, 0.1)


@dataclass(frozen=True)
class Champion:
    """The default version: its predictor and its checkpoint."""

    version: str
    predictor: AnyPredictor
    checkpoint: Path


def retrain(champion: Champion, labelled: Labelled, folder: Path, recipe: Recipe) -> Report:
    """Train and judge a challenger; write its checkpoint, ONNX files and description, and the labels, to `folder`.

    Raises ValueError if there are too few labelled drawings, DataError if MNIST, or pen strokes that
    the recipe needs, are missing.
    """
    started = time.monotonic()
    before = champion.predictor
    start = _initial_network(champion)
    training_labels, test_labels = labelled.split()
    screened = screen(before, start, training_labels)
    if len(screened.accepted) < FEWEST or len(test_labels) < FEWEST * 0.2:
        raise ValueError(
            f"{len(labelled)} labelled drawings: {len(screened.accepted)} for training ({FEWEST} needed), "
            f"{len(test_labels)} for evaluation ({FEWEST * 0.2:.0f} needed). Draw and label more on the page."
        )
    learned, validation = split(data.load(train=True), recipe)
    drawings, held_out = prepare_drawings(recipe, folder)
    selection, test = split_for_selection(EvaluationData(validation, held_out))
    end, curve = _finetune(start, Mix(learned, drawings, recipe, screened.accepted.digits), recipe, folder)
    path = folder / "challenger.pt"
    # Both models get thresholds that accept about the same share of non-digits, so that the comparison does not depend
    # on a shifted threshold. The challenger's share is half a standard error lower: with equal shares, every second
    # challenger would accept more non-digits of the test split by chance.
    accepted = answers(before, selection.non_digits).is_digit
    accepted_share = max(0.0, float(accepted.mean() - accepted.std() / len(accepted) ** 0.5 / 2))
    for factor in INTERPOLATION_FACTORS:
        network = interpolate_weights(start, end, factor)
        content = describe(network, selection, recipe, git_revision(), accepted_share)
        content["metrics"] |= {"curve": curve, "minutes": (time.monotonic() - started) / 60}
        content["champion"] = champion.version
        content["interpolation_factor"] = factor
        content["labelled_drawings"] = screened.accepted.labels()
        write(content, path)
        export(path)
        after = Predictor.load(path, "challenger")
        if all(line.holds for line in compare_held_out(before, after, selection)):
            break
    print(f"weight interpolation factor: {factor:g} (0: start, 1: retrained)", flush=True)
    verdict = judge(before, after, test, test_labels)
    write_description({**content, "judged": [asdict(line) for line in verdict.comparisons]}, path)
    changes = _update_labels(labelled.labels(), folder)
    return Report(champion.version, before, after, labelled, test_labels, screened, verdict, changes)


def _initial_network(champion: Champion) -> DigitClassifier:
    """The champion's network, or the released one if the champion has other layers."""
    state, released = (
        torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        for path in (champion.checkpoint, RELEASED_CHECKPOINT)
    )
    if _layers(state) != _layers(released):
        start = RELEASED_CHECKPOINT.name
        print(f"version {champion.version} has another network: training starts from {start}", flush=True)
        state = released
    return restore_model(state).eval().to(memory_format=torch.channels_last)


def _layers(state: Mapping[str, torch.Tensor]) -> list[tuple[int, ...]]:
    """Kernel size of each convolution and outputs of each linear layer; the width does not count."""
    return [
        weight.shape[2:] if weight.dim() == 4 else weight.shape[:1]
        for weight in state.values()
        if weight.dim() in (2, 4)
    ]


def _finetune(
    start: DigitClassifier, mix: Mix, recipe: Recipe, folder: Path
) -> tuple[DigitClassifier, Curve]:
    """The retrained network and its training curve."""
    channels = [weight.shape[0] for weight in start.state_dict().values() if weight.dim() == 4]
    plan = Plan("challenger", channels, recipe.epochs, recipe.seed, start)
    with tempfile.TemporaryDirectory(dir=folder) as work:  # no resume: training takes minutes
        for network, curve in train_epochs(plan, mix, recipe, Path(work)):
            print(f"epoch {len(curve)} of {recipe.epochs}: loss {curve[-1]['loss']:.4f}", flush=True)
            trained = network, curve
    return trained


def interpolate_weights(start: torch.nn.Module, end: torch.nn.Module, factor: float) -> DigitClassifier:
    """Linear interpolation of two networks of the same layers; factor 0 gives `start`, 1 gives `end`."""
    ends = end.state_dict()
    pairs = {name: (weights, ends[name]) for name, weights in start.state_dict().items()}
    return restore_model(
        {name: a.lerp(b, factor) if a.is_floating_point() else b for name, (a, b) in pairs.items()}
    )


def extract_checkpoint(path: Path, folder: Path) -> Path:
    """The path of a checkpoint; the checkpoint of an archive is extracted to `folder`."""
    if path.suffix != ".mar":
        return path
    with zipfile.ZipFile(path) as contents:
        return Path(contents.extract(WEIGHTS, folder / "champion"))


def _update_labels(labels: dict[str, int], folder: Path) -> Changes:
    """Save the labels in `folder`; return the differences to those of the last run."""
    path = folder / "labels.json"
    before: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(labels) + "\n", encoding="utf-8")
    return {
        "new": sorted(labels.keys() - before.keys()),
        "gone": sorted(before.keys() - labels.keys()),
        "changed": {id_: (before[id_], new) for id_, new in labels.items() if before.get(id_, new) != new},
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description="Train a challenger on labelled drawings and compare it with the champion."
    )
    add = parser.add_argument
    add("--champion", required=True, help="the default version")
    add("--checkpoint", type=Path, required=True, help="checkpoint or archive of the champion")
    add("--output", type=Path, required=True, help="folder for challenger and report")
    add("--labels", type=Path, help="a file of labelled drawings in place of the database")
    options = parser.parse_args(arguments)
    # One thread leaves a core to the serving system. On busy cores, two threads wait for each other and take 3 to 5
    # times as long as one.
    torch.set_num_threads(1)
    folder: Path = options.output
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("challenger.*"):  # of an earlier run
        path.unlink()
    recipe = replace(RECIPE, without_real_drawings=bool(pen_data.missing_files(pen_data.folder())))
    if recipe.without_real_drawings:
        print("Training without real drawings; `make data` fetches them.", flush=True)
    with ExitStack() as stack:
        try:
            predictor = load(options.checkpoint, stack)
            champion = Champion(options.champion, predictor, extract_checkpoint(options.checkpoint, folder))
            if options.labels:
                labelled = read(options.labels)
            else:
                labelled = fetch(settings.DATABASE_URL.read(), settings.DATABASE_PASSWORD.read())
            report = retrain(champion, labelled, folder, recipe)
        except (DataError, LabelledError, ModelError, ValueError) as error:
            print(error, file=sys.stderr)
            return 1
        report.write(folder)
    print(report.text())
    print(f"\nreport: {folder / 'report.html'}")
    return 0 if report.verdict.wins else REJECTED
