"""Pack a checkpoint and the handler as an archive that TorchServe serves.

    python -m training.archive --version 1.5 --checkpoint runs/latest.pt

writes model_store/mnist-1.5.mar. Before the archive gets its name, TorchServe's loader must load it, and it must read
the known digits. Runs in the serving environment, without torchvision and data.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import settings

ROOT = Path(__file__).resolve().parents[2]
HANDLER = ROOT / "handler"
ADAPTER = "torchserve_handler.py"
# DIGIT.png for each class. The digits are not from MNIST, and no model is trained on them.
KNOWN_DIGITS = ROOT / "training" / "known_digits"
RELEASED_CHECKPOINT = ROOT / "training" / "release" / "mnist-2.0.pt"
MODEL = "mnist"
PROVENANCE = "provenance.json"
WEIGHTS = "weights.pt"  # in an archive; beside it the same name with .onnx and .int8.onnx
# Suffixes of the ONNX files, as in handler/onnx_session.py, and the effect of a missing file.
NETWORKS = {
    ".onnx": "PyTorch will run the network, at half the speed",
    ".int8.onnx": "float32 will run the network, at half the speed",
}
# Two to four numbers and an optional suffix: 1.0, 2.3.1, 1.1-rc2.
VERSION_FORM = re.compile(r"\d+(\.\d+){1,3}([-.][A-Za-z0-9]+)?")
REFERENCE = "reference.json"  # for drift: training/archive/reference.py


class ArchiveError(Exception):
    """The archive was not made; the message gives the reason in one line."""


def archive(version: str, checkpoint: Path, model_store: Path) -> Path:
    """Make and check model_store/mnist-<version>.mar; return its path. Raises ArchiveError."""
    if not VERSION_FORM.fullmatch(version):
        raise ArchiveError(f"VERSION '{version}' is not a version, for example: make archive VERSION=1.1")
    if not checkpoint.is_file():
        raise ArchiveError(f"CHECKPOINT '{checkpoint}' is not a file; 'make train' writes runs/latest.pt")
    path = model_store / f"{MODEL}-{version}.mar"
    if path.exists():
        raise ArchiveError(f"{path} already exists; a version is never overwritten: choose another VERSION")
    model_store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        packed = _pack(version, checkpoint, Path(temporary))
        check(packed, Path(temporary) / "unpacked")
        # Copy to a temporary name first: the model store can be on another disk.
        unfinished = path.with_suffix(".unfinished")
        try:
            shutil.copyfile(packed, unfinished)
            unfinished.rename(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ArchiveError(f"{path} cannot be written: {error.strerror}") from None
    return path


def check(packed: Path, folder: Path) -> None:
    """Load an archive in a separate process and let it read the known digits. Raises ArchiveError.

    The process imports from the archive and not from the checkout, so the check fails if a file was not packed.
    """
    with zipfile.ZipFile(packed) as contents:
        contents.extractall(folder)
    pictures = dict(sorted((int(path.stem), path) for path in KNOWN_DIGITS.glob("*.png")))
    done = subprocess.run(
        [sys.executable, "-I", Path(__file__).with_name("load_as_torchserve.py"), folder, *pictures.values()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no error message"]
        raise ArchiveError(f"the archive does not load and was deleted: {last[0]}")
    answers = [int(word) for word in done.stdout.split()]
    if answers != list(pictures):
        raise ArchiveError(
            f"the archive reads the known digits 0 to {max(pictures)} as {answers} and was deleted"
        )


def _pack(version: str, checkpoint: Path, temporary: Path) -> Path:
    # The archiver flattens files but keeps subfolders of a folder: so `handler` stays a package.
    staged = temporary / "staged" / HANDLER.name
    staged.mkdir(parents=True)
    for file in HANDLER.glob("*.py"):
        if file.name != ADAPTER:  # at the archive's top
            shutil.copyfile(file, staged / file.name)
    weights = shutil.copyfile(checkpoint, temporary / WEIGHTS)
    described, compared = temporary / PROVENANCE, temporary / REFERENCE
    described.write_text(json.dumps(provenance(version, checkpoint), indent=2) + "\n", encoding="utf-8")
    compared.write_text(json.dumps(_reference(version, checkpoint)) + "\n", encoding="utf-8")
    extra = [staged.parent, described, compared]
    for suffix, without in NETWORKS.items():
        network = checkpoint.with_suffix(suffix)
        if network.exists():
            extra.append(shutil.copyfile(network, weights.with_suffix(suffix)))
        else:
            print(f"{network} is missing: {without}")
    archiver = Path(sys.executable).with_name("torch-model-archiver")
    if not archiver.exists():
        raise ArchiveError(f"{archiver} is missing: run 'make archive', which uses the serving environment")
    done = subprocess.run(
        [
            archiver,
            "--model-name", MODEL,
            "--version", version,
            "--handler", HANDLER / ADAPTER,
            "--serialized-file", weights,
            "--extra-files", ",".join(map(str, extra)),
            "--config-file", HANDLER / "model-config.yaml",
            "--export-path", temporary,
        ],
        env={**os.environ, "TMPDIR": str(temporary)},  # the archiver uses a folder of a fixed name in it
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ArchiveError(f"torch-model-archiver failed: {done.stderr.strip().splitlines()[-1]}")
    return temporary / f"{MODEL}.mar"


def provenance(version: str, checkpoint: Path) -> dict[str, Any]:
    """Provenance of an archive: everything in its checkpoint except the weights. Raises ArchiveError."""
    import torch  # takes a second; a wrong VERSION must fail at once

    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        del content["state_dict"]
    except Exception as error:  # torch.load can raise any exception for a broken file
        raise ArchiveError(f"CHECKPOINT '{checkpoint}' cannot be read: {type(error).__name__}") from None
    return {"version": version, "archived_at": datetime.now(UTC).isoformat(timespec="seconds"), **content}


def _reference(version: str, checkpoint: Path) -> dict[str, list[float]]:
    from handler.predictor import Predictor  # here, as above
    from training.archive.reference import reference

    try:
        predictor = Predictor.load(checkpoint, version)
    except Exception as error:  # as above
        raise ArchiveError(f"CHECKPOINT '{checkpoint}' cannot be loaded: {type(error).__name__}") from None
    return reference(predictor)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Pack a checkpoint as an archive for TorchServe.")
    parser.add_argument("--version", required=True, help="for example 1.1")
    parser.add_argument("--checkpoint", type=Path, default=RELEASED_CHECKPOINT)
    parser.add_argument("--model-store", type=Path, default=ROOT / settings.MODEL_STORE.read())
    options = parser.parse_args(arguments)
    try:
        path = archive(options.version, options.checkpoint, options.model_store)
    except ArchiveError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}: loads and reads the ten known digits correctly")
    return 0
