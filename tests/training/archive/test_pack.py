"""An archive is written only if TorchServe's loader loads it and it reads the known digits.

`make test-handler` runs these tests, because archives are made in the serving environment.
"""

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from handler.model import DigitClassifier
from handler.onnx_session import FLOAT32, INT8
from training.archive import pack as archive
from training.archive.pack import RELEASED_CHECKPOINT, ArchiveError
from training.archive.reference import DRAWINGS

pytest.importorskip(
    "model_archiver", reason="torch-model-archiver is in the serving environment: make test-handler"
)
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return archive.archive("7.3", RELEASED_CHECKPOINT, tmp_path_factory.mktemp("store") / "new")


def _broken(made: Path, folder: Path, *, without: str = "", replaced: dict[str, bytes] | None = None) -> Path:
    """A copy of an archive without a member or with replaced members."""
    copy = folder / "broken.mar"
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            if name != without:
                target.writestr(name, (replaced or {}).get(name, source.read(name)))
    return copy


def test_the_archive_contains_the_handler_package_and_the_version(made):
    assert made.name == "mnist-7.3.mar"
    with zipfile.ZipFile(made) as contents:
        names = set(contents.namelist())
        manifest = json.loads(contents.read("MAR-INF/MANIFEST.json"))
        assert contents.read("handler/predictor.py") == (ROOT / "handler" / "predictor.py").read_bytes()
    assert {
        "torchserve_handler.py",
        "handler/model.py",
        "handler/preprocessing.py",
        "model-config.yaml",
    } <= names
    assert not any("training" in name or "__pycache__" in name for name in names)
    assert manifest["model"]["modelName"] == "mnist"
    assert manifest["model"]["modelVersion"] == "7.3"


def test_the_archive_contains_both_onnx_files(made):
    with zipfile.ZipFile(made) as contents:
        for suffix in (".pt", ".onnx", ".int8.onnx"):
            assert contents.read(f"weights{suffix}") == RELEASED_CHECKPOINT.with_suffix(suffix).read_bytes()
    assert {".onnx", ".int8.onnx"} == {FLOAT32, INT8} == archive.NETWORKS.keys()


def test_the_archive_contains_its_provenance(made):
    released = torch.load(RELEASED_CHECKPOINT, weights_only=True)
    with zipfile.ZipFile(made) as contents:
        provenance = json.loads(contents.read("provenance.json"))
    assert provenance["version"] == "7.3"
    assert datetime.now(UTC) - datetime.fromisoformat(provenance["archived_at"]) < timedelta(hours=1)
    for name in ("git_revision", "data_checksums", "metrics", "temperature"):
        assert provenance[name] == released[name]
    assert "state_dict" not in provenance


def test_the_archive_contains_the_reference_for_drift(made):
    with zipfile.ZipFile(made) as contents:
        reference = json.loads(contents.read("reference.json"))
    assert {name: len(values) for name, values in reference.items()} == dict.fromkeys(
        ("digit", "confidence", "digit_score", "ink_share"), DRAWINGS
    )
    assert all(reference["digit"].count(digit) > DRAWINGS / 20 for digit in range(10))
    assert all(0 <= value <= 1 for name in reference.keys() - {"digit"} for value in reference[name])
    assert 0.09 < sorted(reference["ink_share"])[DRAWINGS // 2] < 0.13  # a medium brush


def test_missing_onnx_files_are_reported_with_their_effect(tmp_path, capsys):
    alone = tmp_path / "alone.pt"
    alone.write_bytes(RELEASED_CHECKPOINT.read_bytes())
    archive.archive("7.4", alone, tmp_path / "store")
    said = capsys.readouterr().out
    assert "alone.onnx is missing: PyTorch will run the network" in said
    assert "alone.int8.onnx is missing: float32 will run the network" in said


def test_the_store_contains_the_archive_alone(made):
    assert [path.name for path in made.parent.iterdir()] == ["mnist-7.3.mar"]


def test_a_version_is_never_overwritten(made):
    before = made.read_bytes()
    with pytest.raises(ArchiveError, match="already exists; a version is never overwritten"):
        archive.archive("7.3", RELEASED_CHECKPOINT, made.parent)
    assert made.read_bytes() == before


def test_a_model_that_misreads_the_known_digits_is_not_archived(tmp_path):
    released = torch.load(RELEASED_CHECKPOINT, weights_only=True)
    torch.manual_seed(0)
    untrained = tmp_path / "untrained.pt"
    torch.save(released | {"state_dict": DigitClassifier().state_dict()}, untrained)
    with pytest.raises(ArchiveError, match="reads the known digits 0 to 9 as"):
        archive.archive("1.0", untrained, tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_the_pictures_in_the_folder_are_the_known_digits(tmp_path, monkeypatch, made):
    """With others, it is another classifier: docs/your-own-images.md."""
    monkeypatch.setattr(archive, "KNOWN_DIGITS", tmp_path)
    answer = SimpleNamespace(returncode=0, stdout="7\n10\n")
    monkeypatch.setattr(archive.subprocess, "run", lambda *_, **__: answer)
    for label in (10, 7):
        (tmp_path / f"{label}.png").touch()
    archive.check(made, tmp_path / "unpacked")
    (tmp_path / "2.png").touch()
    with pytest.raises(ArchiveError, match=r"reads the known digits 0 to 10 as \[7, 10\]"):
        archive.check(made, tmp_path / "unpacked")


def test_a_checkpoint_that_does_not_load_is_not_archived(tmp_path):
    garbage = tmp_path / "garbage.pt"
    garbage.write_bytes(b"no checkpoint")
    with pytest.raises(ArchiveError, match=r"garbage\.pt' cannot be read: ") as raised:
        archive.archive("1.0", garbage, tmp_path / "store")
    assert len(str(raised.value).splitlines()) == 1
    assert list((tmp_path / "store").iterdir()) == []


def test_a_file_that_was_not_packed_fails_the_check(made, tmp_path):
    with pytest.raises(ArchiveError, match="does not load"):
        archive.check(_broken(made, tmp_path, without="handler/preprocessing.py"), tmp_path / "unpacked")


def test_the_check_uses_the_handler_of_the_archive(made, tmp_path):
    source = (ROOT / "handler" / "predictor.py").read_bytes()
    other = source.replace(b"probabilities.index(confidence)", b"9 - probabilities.index(confidence)")
    assert other != source
    with pytest.raises(ArchiveError, match=r"\[9, 8, 7, 6, 5, 4, 3, 2, 1, 0\]"):
        archive.check(
            _broken(made, tmp_path, replaced={"handler/predictor.py": other}), tmp_path / "unpacked"
        )


def test_it_runs_without_torchvision(tmp_path):
    program = "import sys, training.archive; assert not {'torchvision', 'tqdm'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("version", ["", "1", "v1.0", "1.0.", "one", "1.0/../x", "1.0 beta"])
def test_an_invalid_version_gives_one_line_with_an_example(version, tmp_path, capsys):
    status = archive.main(["--version", version, "--model-store", str(tmp_path)])
    [line] = capsys.readouterr().err.splitlines()
    assert status == 1
    assert f"VERSION '{version}'" in line
    assert "make archive VERSION=1.1" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", ["1.0", "2.3.1", "1.1-rc2", "10.20"])
def test_valid_versions(version):
    assert archive.VERSION_FORM.fullmatch(version)


def test_a_missing_checkpoint_is_named(tmp_path, capsys):
    status = archive.main(
        ["--version", "1.1", "--checkpoint", "runs/none.pt", "--model-store", str(tmp_path)]
    )
    [line] = capsys.readouterr().err.splitlines()
    assert status == 1
    assert "CHECKPOINT 'runs/none.pt' is not a file" in line
