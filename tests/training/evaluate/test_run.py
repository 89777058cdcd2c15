"""`training.evaluate` measures a checkpoint or an archive, alone or beside another model."""

import functools
import re
import shutil

import numpy as np
import pytest

from tests.training import synthetic
from training.archive.pack import RELEASED_CHECKPOINT
from training.data import mnist as data
from training.data import reporting_sets
from training.data.mnist import Digits
from training.evaluate import run as evaluate
from training.evaluate.archived_predictor import open_archive


@pytest.fixture(scope="module")
def digits() -> Digits:
    return synthetic.digits(60)


@pytest.fixture
def small(monkeypatch, tmp_path, digits):
    """Small sets, without real drawings."""
    synthetic.shrink_evaluation(monkeypatch, digits)
    monkeypatch.setattr(reporting_sets, "SCRIPT", tmp_path / "drawn" / "drawn.py")


def test_the_table_has_a_row_for_each_digit():
    confusion = np.diag([10] * 10)
    confusion[4, 4], confusion[4, 9] = 7, 3
    lines = evaluate.table(confusion).splitlines()
    assert len(lines) == 11
    assert lines[5].split() == ["4", "70.00%", *"....", "7", *"....", "3"]


def test_the_command_measures_draws_and_names_skipped_sets(tmp_path, capsys, small):
    assert evaluate.main(["--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    [row] = [
        line for line in said.splitlines() if line.startswith("pendigits, reporting writers, calibration")
    ]
    assert re.split("  +", row) == [
        "pendigits, reporting writers, calibration error in 15 bins",
        *["not measured"] * 2,
    ]
    assert "MNIST test set, accuracy" in said
    assert "The reporting sets were not read; ARGS=--report reads them." in said
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert drawn == {"reliability.png", "errors-mnist-test.png"}


def test_report_reads_the_reporting_sets(tmp_path, capsys, small, monkeypatch):
    monkeypatch.setattr(reporting_sets, "digits", lambda limit=None: synthetic.digits(30))
    monkeypatch.setattr(reporting_sets, "non_digits", lambda: np.zeros((5, 28, 28), np.uint8))
    assert evaluate.main(["--report", "--output", str(tmp_path / "out")]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Omniglot, accepted")]
    assert row.split()[-2:] == ["0.00%", "0.00%"]
    assert (tmp_path / "out" / "errors-pendigits.png").is_file()


def test_missing_reporting_sets_are_named(capsys, small, monkeypatch):
    monkeypatch.setattr(evaluate, "_compare", lambda *_, report: None)
    monkeypatch.setattr(evaluate, "draw", lambda *_, report: None)
    assert evaluate.main(["--report"]) == 0
    assert f"The reporting sets were not measured: {reporting_sets.MISSING}." in capsys.readouterr().out


def test_an_archive_measures_as_its_checkpoint(tmp_path, capsys, small):
    archive = synthetic.archive(tmp_path / "mnist-7.3.mar", "weights.pt", "weights.onnx", "weights.int8.onnx")
    arguments = ["--model", str(archive), "--against", str(RELEASED_CHECKPOINT), "--output", str(tmp_path)]
    assert evaluate.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    [named] = [line.split() for line in lines if line.startswith(" ") and "mnist-7.3.mar" in line]
    assert named == ["mnist-7.3.mar,", "int8", f"{RELEASED_CHECKPOINT.name},", "int8"]
    [row] = [line for line in lines if line.startswith("MNIST test set, calibration")]
    *_, one, other = row.split()
    assert one == other


def test_an_archive_predicts_with_its_own_handler(tmp_path):
    one = "\nPredictor.predict_inputs = lambda self, inputs: [self._prediction(i, [0.0, 1.0], 1.0) for i in inputs]"
    path = synthetic.archive(tmp_path / "mnist-7.3.mar", "weights.pt", "weights.onnx", predictor=one)
    with open_archive(path, "int8") as predictor:
        assert predictor.runtime == "float32"
        for count in (3, 1):
            answers = predictor.predict_inputs(list(synthetic.digits(count).images))
            assert [(answer.digit, answer.model_version) for answer in answers] == [(1, "mnist-7.3")] * count


def test_a_model_is_also_measured_in_float32(tmp_path, capsys, small):
    checkpoint = tmp_path / "mnist-7.3.pt"
    for suffix in (".pt", ".onnx", ".int8.onnx"):
        shutil.copy(RELEASED_CHECKPOINT.with_suffix(suffix), checkpoint.with_suffix(suffix))
    for runtimes in (["int8", "float32"], ["float32"]):
        assert evaluate.main(["--model", str(checkpoint), "--output", str(tmp_path)]) == 0
        [named] = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(" " * 52)]
        assert named == [word for runtime in runtimes for word in (f"{checkpoint.name},", runtime)]
        checkpoint.with_suffix(".int8.onnx").unlink(missing_ok=True)


def test_the_error_names_a_file_that_is_not_a_model(tmp_path, capsys, small):
    broken = tmp_path / "mnist-1.1.mar"
    broken.write_bytes(b"PK")
    empty = synthetic.archive(tmp_path / "mnist-1.2.mar")
    for path, reason in (
        (tmp_path / "none.pt", "file not found"),
        (broken, "BadZipFile"),
        (empty, "FileNotFoundError"),
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
