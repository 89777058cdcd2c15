"""Publish a checkpoint: write it with its metrics, pictures and model card to the folder of releases.

    python -m training.publish --checkpoint runs/latest.pt --version 1.1 --history "the only run"

writes training/release/mnist-1.1.pt, both ONNX files, .json and pictures, and training/MODEL_CARD.md. Every number is
measured here or in the run; all students of a run are measured, for the spread. Only --history is written by hand: the
number of runs and what was known about them at the selection. Without it, a test accuracy cannot be judged.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import cast

import torch

from handler.model import restore_model
from handler.onnx_session import FLOAT32, INT8
from handler.predictor import Predictor
from training.archive.pack import VERSION_FORM
from training.card import Published, card
from training.data import mnist as data
from training.data.download import DataError
from training.data.mnist import Digits
from training.evaluate.measure import flat_metrics, measure_model
from training.evaluate.run import draw
from training.photos import measure as photos
from training.train.checkpoint import Checkpoint

FOLDER = Path(__file__).resolve().parent
MAXIMUM_BYTES = 2_500_000  # git keeps every version forever


def publish(checkpoint: Path, version: str, history: str, folder: Path = FOLDER) -> Path:
    """Measure a checkpoint and write its files to `folder`; return the path of the model card.

    Raises DataError if MNIST is missing, ValueError if the checkpoint is too large for git or the checkpoints of the
    run's other students are not beside it.
    """
    if checkpoint.stat().st_size > MAXIMUM_BYTES:
        raise ValueError(f"{checkpoint} has {checkpoint.stat().st_size:,} bytes, more than {MAXIMUM_BYTES:,}")
    content: Checkpoint = torch.load(checkpoint, map_location="cpu", weights_only=True)
    test = data.load(train=False)
    int8 = Predictor.load(checkpoint, version, "int8")
    strokes = photos.digits_by_people(report=True)
    rows = photos.measure(int8, strokes, photos.PICTURES_OF_EACH_KIND) if strokes else None
    published = {
        "version": version,
        "history": history,
        "parameters": sum(
            parameter.numel() for parameter in restore_model(content["state_dict"]).parameters()
        ),
        "bytes": checkpoint.stat().st_size,
        "int8_bytes": checkpoint.with_suffix(INT8).stat().st_size,
        "measured": measure_model(int8, test, report=True),
        # With digits by the reporting writers; None without their strokes.
        "photos": [row._asdict() for row in rows] if rows else None,
        # In float32; the first is the released student.
        "seeds": [_measure_seed(checkpoint, test), *_other_seeds(checkpoint, content, test)],
        **{name: value for name, value in content.items() if name != "state_dict"},
    }
    released = folder / "release" / f"mnist-{version}.pt"
    released.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.resolve() != released.resolve():
        for suffix in (".pt", FLOAT32, INT8):
            shutil.copyfile(checkpoint.with_suffix(suffix), released.with_suffix(suffix))
    draw(f"mnist {version}", int8, test, released.parent, f"{released.stem}-", report=True)
    released.with_suffix(".json").write_text(json.dumps(published, indent=2) + "\n", encoding="utf-8")
    path = folder / "MODEL_CARD.md"
    path.write_text(card(cast(Published, published)), encoding="utf-8")
    return path


def _measure_seed(checkpoint: Path, test: Digits) -> dict[str, float | None]:
    predictor = Predictor.load(checkpoint, checkpoint.stem, "float32")
    return flat_metrics(measure_model(predictor, test, report=True))


def _other_seeds(checkpoint: Path, content: Checkpoint, test: Digits) -> list[dict[str, float | None]]:
    """Metrics of the run's other students, from their checkpoints beside this one.

    Released checkpoints have no others beside them. To publish a release again, the metrics are taken from its JSON.
    """
    described = checkpoint.with_suffix(".json")
    if described.is_file() and "seeds" in (published := json.loads(described.read_text(encoding="utf-8"))):
        return published["seeds"][1:]
    count = len(content["metrics"].get("students", [1]))
    paths = [checkpoint.with_stem(f"{checkpoint.stem}-{number}") for number in range(2, count + 1)]
    if missing := ", ".join(str(path) for path in paths if not path.is_file()):
        raise ValueError(f"{checkpoint} belongs to a run with {count} seeds, but {missing} is missing")
    return [_measure_seed(path, test) for path in paths]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Publish a checkpoint with its numbers and its model card.")
    add = parser.add_argument
    add("--checkpoint", type=Path, default=Path("runs/latest.pt"))
    add("--version", required=True, help="for example 1.1")
    add("--history", required=True, help="which runs were made, and what was known about each")
    options = parser.parse_args(arguments)
    if not VERSION_FORM.fullmatch(options.version):
        parser.error(f"VERSION '{options.version}' is not a version, for example: --version 1.1")
    if not options.checkpoint.is_file():
        parser.error(f"CHECKPOINT '{options.checkpoint}' is not a file; 'make train' writes runs/latest.pt")
    try:
        path = publish(options.checkpoint, options.version, options.history)
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
