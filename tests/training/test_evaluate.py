"""The command that measures a model: a checkpoint or an archive, alone or beside another."""

import functools
import shutil
import zipfile

import numpy as np
import pytest

from tests.training import synthetic
from training import data, evaluate, measure, real_drawings
from training.archive import RELEASED_CHECKPOINT
from training.data import Digits


@pytest.fixture(scope="module")
def digits() -> Digits:
    return synthetic.digits(60)


@pytest.fixture
def little(monkeypatch, tmp_path, digits):
    """Measured on a few drawings, and without the real ones."""
    monkeypatch.setattr(data, "load", lambda *, train: None if train else digits)
    monkeypatch.setattr(measure, "kept", functools.partial(measure.kept, count=5))
    monkeypatch.setattr(measure, "called_a_digit", functools.partial(measure.called_a_digit, count=2))
    monkeypatch.setattr(measure, "held_out_writers", lambda: None)
    monkeypatch.setattr(real_drawings, "SCRIPT", tmp_path / "drawn" / "drawn.py")


def _archive(path, *names: str):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.write(RELEASED_CHECKPOINT.with_suffix(name.removeprefix("weights")), name)
        archive.writestr("handler/model.py", "raise RuntimeError('code of an archive does not run here')")
    return path


def test_the_table_has_a_row_a_digit_with_its_accuracy():
    confusion = np.diag([10] * 10)
    confusion[4, 4], confusion[4, 9] = 7, 3
    lines = evaluate.table(confusion).splitlines()
    assert len(lines) == 11
    assert lines[5].split() == ["4", "70.00%", *"....", "7", *"....", "3"]


def test_the_command_measures_draws_and_says_what_it_skips(tmp_path, capsys, little):
    assert evaluate.main(["--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "MNIST test set, accuracy" in said
    assert "The reporting sets were not read; ARGS=--report reads them." in said
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert drawn == {"reliability.png", "errors-mnist-test.png"}


def test_the_reporting_sets_are_read_when_asked_for(tmp_path, capsys, little, monkeypatch):
    monkeypatch.setattr(real_drawings, "digits", lambda limit=None: synthetic.digits(30))
    monkeypatch.setattr(real_drawings, "others", lambda: np.zeros((5, 28, 28), np.uint8))
    assert evaluate.main(["--report", "--output", str(tmp_path / "out")]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Omniglot, accepted")]
    assert row.split()[-2:] == ["0.00%", "0.00%"]
    assert (tmp_path / "out" / "errors-pendigits.png").is_file()


def test_missing_reporting_sets_are_named(capsys, little, monkeypatch):
    monkeypatch.setattr(evaluate, "_compare", lambda *_, report: None)
    monkeypatch.setattr(evaluate, "draw", lambda *_, report: None)
    assert evaluate.main(["--report"]) == 0
    assert f"The reporting sets were not measured: {real_drawings.NOT_AT_HAND}." in capsys.readouterr().out


def test_an_archive_is_measured_beside_the_checkpoint_that_it_holds(tmp_path, capsys, little):
    archive = _archive(tmp_path / "mnist-7.3.mar", "weights.pt", "weights.onnx", "weights.int8.onnx")
    arguments = ["--model", str(archive), "--against", str(RELEASED_CHECKPOINT), "--output", str(tmp_path)]
    assert evaluate.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    [named] = [line.split() for line in lines if line.startswith(" ") and "mnist-7.3.mar" in line]
    assert named == ["mnist-7.3.mar,", "int8", f"{RELEASED_CHECKPOINT.name},", "int8"]
    [row] = [line for line in lines if line.startswith("MNIST test set, calibration")]
    *_, one, other = row.split()
    assert one == other


def test_a_model_alone_is_measured_in_float32_too(tmp_path, capsys, little):
    archive = _archive(tmp_path / "mnist-7.3.mar", "weights.pt", "weights.onnx", "weights.int8.onnx")
    of_float32 = _archive(tmp_path / "mnist-7.2.mar", "weights.pt", "weights.onnx")
    for model, runtimes in ((archive, ["int8", "float32"]), (of_float32, ["float32"])):
        assert evaluate.main(["--model", str(model), "--output", str(tmp_path)]) == 0
        [named] = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(" " * 52)]
        assert named == [word for runtime in runtimes for word in (f"{model.name},", runtime)]


def test_what_is_no_model_is_named(tmp_path, capsys, little):
    broken = tmp_path / "mnist-1.1.mar"
    broken.write_bytes(b"PK")
    empty = _archive(tmp_path / "mnist-1.2.mar")
    for path, reason in (
        (tmp_path / "none.pt", "file not found"),
        (broken, "BadZipFile"),
        (empty, "KeyError"),
        (shutil.copyfile(broken, tmp_path / "broken.pt"), "while reading it"),
    ):
        assert evaluate.main(["--model", str(path)]) == 1
        said = capsys.readouterr().err
        assert f"MODEL '{path}' is not a model" in said
        assert reason in said


def test_missing_data_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(data, "load", functools.partial(data.load, root=tmp_path))
    assert evaluate.main([]) == 1
    assert "make data" in capsys.readouterr().err
