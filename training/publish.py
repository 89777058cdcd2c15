"""Publish a checkpoint: put it into git's folder with its numbers, its pictures and its model card.

    python -m training.publish --checkpoint runs/latest.pt --version 1.1 --history "the only run"

writes training/release/mnist-1.1.pt, .onnx, .json and pictures, and training/MODEL_CARD.md. Every number in them was
measured here or in the run; of a run with several students all are measured, for the spread. Typed is the history
alone: how many runs were made and what was known of them when this one was chosen, which no file can tell and without
which a test accuracy cannot be judged.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from handler.model import restored
from handler.predictor import Predictor
from training import data
from training.archive import VERSION_FORM
from training.card import card
from training.data import DataError
from training.evaluate import draw
from training.measure import figures, measured

FOLDER = Path(__file__).resolve().parent
MAXIMUM_BYTES = 2_500_000  # git keeps every version for ever


def publish(checkpoint: Path, version: str, history: str, folder: Path = FOLDER) -> Path:
    """Measure a checkpoint, write its files under `folder`; gives back the model card's path.

    Raises DataError where MNIST is missing, ValueError for a checkpoint that is too large for git or whose fellows, the
    run's students of other seeds, do not lie beside it.
    """
    if checkpoint.stat().st_size > MAXIMUM_BYTES:
        raise ValueError(f"{checkpoint} has {checkpoint.stat().st_size:,} bytes, more than {MAXIMUM_BYTES:,}")
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    test = data.load(train=False)
    numbers = [measured(Predictor.load(path, version), test) for path in _students(checkpoint, content)]
    published: dict[str, Any] = {
        "version": version,
        "history": history,
        "parameters": sum(parameter.numel() for parameter in restored(content["state_dict"]).parameters()),
        "bytes": checkpoint.stat().st_size,
        "measured": numbers[0],
        "seeds": [figures(of_student) for of_student in numbers],
        **{name: value for name, value in content.items() if name != "state_dict"},
    }
    released = folder / "release" / f"mnist-{version}.pt"
    released.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(checkpoint, released)
    shutil.copyfile(checkpoint.with_suffix(".onnx"), released.with_suffix(".onnx"))
    draw(f"mnist {version}", Predictor.load(released, version), test, released.parent, f"{released.stem}-")
    released.with_suffix(".json").write_text(json.dumps(published, indent=2) + "\n", encoding="utf-8")
    written = folder / "MODEL_CARD.md"
    written.write_text(card(published), encoding="utf-8")
    return written


def _students(checkpoint: Path, content: dict[str, Any]) -> list[Path]:
    """The checkpoints of its run, itself first, as `training.train` names them."""
    count = len(content["metrics"].get("students", [1]))
    paths = [
        checkpoint,
        *(checkpoint.with_stem(f"{checkpoint.stem}-{number}") for number in range(2, count + 1)),
    ]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise ValueError(
            f"{checkpoint} belongs to a run with {count} seeds, but {', '.join(missing)} is missing"
        )
    return paths


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Publish a checkpoint with its numbers and its model card.")
    parser.add_argument("--checkpoint", type=Path, default=Path("runs/latest.pt"))
    parser.add_argument("--version", required=True, help="for example 1.1")
    parser.add_argument(
        "--history", required=True, help="which runs were made, and what was known about each"
    )
    options = parser.parse_args(arguments)
    if not VERSION_FORM.fullmatch(options.version):
        parser.error(f"VERSION '{options.version}' is not a version, for example: --version 1.1")
    if not options.checkpoint.is_file():
        parser.error(f"CHECKPOINT '{options.checkpoint}' is not a file; 'make train' writes runs/latest.pt")
    try:
        written = publish(options.checkpoint, options.version, options.history)
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{written}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
