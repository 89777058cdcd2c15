"""Short training runs on generated digits."""

import copy
import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from handler.model import DigitClassifier, restore_model
from handler.predictor import Predictor, digit_scores
from tests.training import synthetic
from training.data import mnist as data
from training.train import drawings, onnx_export, trainer
from training.train import run as train
from training.train.checkpoint import compute_logits
from training.train.recipe import Recipe

ROOT = Path(__file__).parents[3]
COUNT = 300
DEADLINE_S = 120


@pytest.fixture(autouse=True)
def cached_drawings(monkeypatch) -> None:
    monkeypatch.setattr(drawings, "generate_drawings", synthetic.generate_cached)


@pytest.fixture(scope="module")
def digits() -> data.Digits:
    return synthetic.digits(COUNT)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    return synthetic.quick(output=str(tmp_path_factory.mktemp("runs") / "new" / "model.pt"))


@pytest.fixture(scope="module")
def checkpoint(recipe, digits):
    [student] = train.train(recipe, digits)
    return student


@pytest.fixture(scope="module")
def saved(recipe, checkpoint):
    """The checkpoint as the server loads it: plain types and tensors only."""
    return torch.load(recipe.output, weights_only=True)


def _same(one, other) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_model_has_at_most_half_a_million_parameters():
    assert sum(parameter.numel() for parameter in DigitClassifier().parameters()) <= 500_000


def test_the_validation_accuracy_is_high(saved):
    assert saved["metrics"]["validation_accuracy"] > 0.9


def test_the_saved_checkpoint_is_the_trained_network_and_serves(recipe, saved, checkpoint, digits):
    assert _same(saved["state_dict"], checkpoint["state_dict"])
    predictor = Predictor.load(Path(recipe.output), version="test")
    answers = predictor.predict_inputs(list(digits.images[:50]))
    assert (
        np.mean([answer.digit == label for answer, label in zip(answers, digits.labels[:50], strict=True)])
        > 0.9
    )


def test_the_checkpoint_has_settings_checksums_and_versions(recipe, saved):
    assert saved["settings"] == asdict(recipe)
    assert saved["data_checksums"] == data.CHECKSUMS
    assert saved["libraries"].keys() == {"python", "torch", "torchvision", "numpy"}
    assert saved["libraries"]["torch"] == str(torch.__version__)
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", saved["git_revision"])


def test_the_checkpoint_is_of_the_last_epoch(tmp_path):
    recipe = synthetic.quick(epochs=3, output=str(tmp_path / "model.pt"))
    [saved] = train.train(recipe, synthetic.digits(60))
    metrics = saved["metrics"]
    assert len(metrics["curve"]) == metrics["epochs"] == 3
    assert metrics["curve"][-1]["validation_loss"] == metrics["validation_loss"]


def _interrupt(monkeypatch, epochs: tuple[int, ...]) -> None:
    """Interrupt training at the end of these epochs, counted over all networks and runs."""
    describe, count = trainer.describe, 0

    def describe_or_interrupt(*arguments):
        nonlocal count
        count += 1
        if count in epochs:
            raise KeyboardInterrupt
        return describe(*arguments)

    monkeypatch.setattr(trainer, "describe", describe_or_interrupt)


def test_a_resumed_run_gives_the_same_models(tmp_path, monkeypatch, capsys):
    digits = synthetic.digits(60)
    settings = {"epochs": 3, "students": 2}
    whole = train.train(synthetic.quick(output=str(tmp_path / "whole.pt"), **settings), digits)
    recipe = synthetic.quick(output=str(tmp_path / "interrupted.pt"), **settings)
    begin = time.monotonic()
    # In the first student's second epoch, and then, after its two others, in the second student's first.
    _interrupt(monkeypatch, (2, 5))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train.train(recipe, digits)
    minutes = tmp_path / "interrupted.work" / "minutes"
    assert 0 < float(minutes.read_text()) <= (time.monotonic() - begin) / 60
    minutes.write_text("100")
    begin = time.monotonic()
    resumed = train.train(recipe, digits)
    assert 100 < resumed[0]["metrics"]["minutes"] <= 100 + (time.monotonic() - begin) / 60
    assert "student 1: resumed after epoch 1 of 3" in capsys.readouterr().out
    for one, other in zip(resumed, whole, strict=True):
        assert _same(one["state_dict"], other["state_dict"])
        assert one["temperature"] == other["temperature"]


def test_other_settings_start_from_the_first_epoch(tmp_path, monkeypatch, capsys):
    digits = synthetic.digits(60)
    recipe = synthetic.quick(epochs=2, output=str(tmp_path / "model.pt"))
    monkeypatch.setattr(train.shutil, "rmtree", lambda folder: None)  # as if interrupted at the end
    train.train(recipe, digits)
    train.train(replace(recipe, weight_decay=0.0), digits)
    assert "resumed" not in capsys.readouterr().out


def test_students_have_different_seeds(tmp_path):
    digits = synthetic.digits(60)
    [alone] = train.train(synthetic.quick(output=str(tmp_path / "alone.pt"), epochs=1), digits)
    recipe = synthetic.quick(output=str(tmp_path / "model.pt"), students=2, epochs=1)
    first, second = train.train(recipe, digits)
    assert _same(first["state_dict"], alone["state_dict"])
    assert not _same(first["state_dict"], second["state_dict"])
    saved = torch.load(tmp_path / "model-2.pt", weights_only=True)
    assert _same(saved["state_dict"], second["state_dict"])
    assert [student["seed"] for student in (first, second)] == [0, 1]


def test_the_student_with_the_lowest_loss_comes_first(monkeypatch, tmp_path):
    trained = []

    def train_in_reverse_rank(*arguments):
        trained[:] = sorted(students(*arguments), key=_selection_loss, reverse=True)
        return list(trained)

    students = train.train
    monkeypatch.setattr(train, "train", train_in_reverse_rank)
    assert (
        _main(monkeypatch, tmp_path, labels_of_test=lambda labels: labels, epochs=1, students=2, seed=5) == 0
    )
    assert {student["seed"] for student in trained} == {5, 6}
    for name, student in (("model", trained[1]), ("model-2", trained[0])):
        saved = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        assert saved["seed"] == student["seed"]
        assert _same(saved["state_dict"], student["state_dict"])


def _selection_loss(student) -> float:
    return student["metrics"]["validation_loss"] + student["metrics"]["held_out_loss"]


def test_a_finished_run_leaves_its_checkpoint_alone(recipe, checkpoint):
    assert [path.name for path in Path(recipe.output).parent.iterdir()] == [Path(recipe.output).name]


def test_each_epoch_prints_accuracies_and_the_time_left(tmp_path, capsys):
    recipe = synthetic.quick(epochs=2, output=str(tmp_path / "model.pt"))
    train.train(recipe, synthetic.digits(60))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["student 1, epoch  1 of 2", "student 1, epoch  2 of 2"]
    for line in lines:
        assert re.search(r"validation [\d.]+%, held-out styles [\d.]+%.*; .* left$", line)


def test_the_threshold_rejects_at_most_the_share_of_the_recipe(recipe, saved, digits):
    _, validation = train.split(digits, recipe)
    logits = compute_logits(restore_model(saved["state_dict"]), validation.images)
    rejected = digit_scores(logits, saved["temperature"]) < saved["digit_threshold"]
    assert rejected.mean() <= recipe.rejected_share + 1 / len(validation)


def test_images_alone_are_enough(tmp_path, digits):
    recipe = synthetic.quick(
        drawn_images=0, drawn_share=0.0, none_share=0.0, epochs=2, output=str(tmp_path / "model.pt")
    )
    [saved] = train.train(recipe, digits)
    metrics = saved["metrics"]
    assert metrics["validation_accuracy"] > 0.5
    assert not [name for name in metrics if name.startswith("held_out")]
    predictor = Predictor.load(Path(recipe.output), version="test")
    accepted = [answer.is_digit for answer in predictor.predict_inputs(list(digits.images))]
    assert np.mean(accepted) > 0.9


def test_the_seed_determines_the_split(recipe, digits):
    training, validation = train.split(digits, recipe)
    count = recipe.validation_images
    assert (len(training), len(validation)) == (COUNT - count, count)
    order = np.random.default_rng(recipe.seed).permutation(COUNT)
    assert np.array_equal(validation.images, digits.images[order[:count]])
    other = train.split(digits, synthetic.quick(seed=1))[1]
    assert not np.array_equal(validation.images, other.images)


def test_the_seed_determines_the_model(tmp_path):
    digits = synthetic.digits(60)

    def weights(seed: int):
        settings = synthetic.quick(seed=seed, epochs=1, output=str(tmp_path / "model.pt"))
        return train.train(settings, digits)[0]["state_dict"]

    first = weights(3)
    assert _same(first, weights(3))
    assert not _same(first, weights(4))


def test_the_error_names_a_validation_split_that_is_too_large(digits):
    with pytest.raises(ValueError, match="Setting 'validation_images' has value '295'"):
        train.train(synthetic.quick(validation_images=295), digits)


def _main(monkeypatch, tmp_path, *, labels_of_test, onnx: bool = False, **settings) -> int:
    def load(*, train: bool) -> data.Digits:
        digits = synthetic.digits(120 if train else 50, seed=int(train))
        return digits if train else data.Digits(digits.images, labels_of_test(digits.labels))

    monkeypatch.setattr(data, "load", load)
    if not onnx:
        monkeypatch.setattr(train, "export", lambda checkpoint: None)  # saves a second
    monkeypatch.setattr(onnx_export, "calibration_images", synthetic.calibration_images)
    recipe = asdict(synthetic.quick(output=str(tmp_path / "model.pt"), validation_images=20, **settings))
    arguments = {f"--{name.replace('_', '-')}": value for name, value in recipe.items() if value is not False}
    return train.main([name if value is True else f"{name}={value}" for name, value in arguments.items()])


def _skip_training(monkeypatch, checkpoint) -> None:
    """Replace the training of a full run by a trained student."""
    monkeypatch.setattr(train, "train", lambda *_: [copy.deepcopy(checkpoint)])


def test_a_full_run_below_its_target_fails(monkeypatch, tmp_path, capsys, checkpoint):
    _skip_training(monkeypatch, checkpoint)
    status = _main(
        monkeypatch, tmp_path, labels_of_test=lambda labels: (labels + 1) % 10, epochs=Recipe().epochs
    )
    assert status == 1
    assert re.search(
        r"^MNIST test accuracy \d+\.\d\d% is below the target 99\.50%\.$",
        capsys.readouterr().err,
        re.MULTILINE,
    )


def test_a_full_run_above_its_target_succeeds_and_records_test_metrics(
    monkeypatch, tmp_path, capsys, checkpoint
):
    _skip_training(monkeypatch, checkpoint)
    status = _main(
        monkeypatch,
        tmp_path,
        labels_of_test=lambda labels: labels,
        epochs=Recipe().epochs,
        target_accuracy=0.9,
    )
    assert status == 0
    metrics = torch.load(tmp_path / "model.pt", weights_only=True)["metrics"]
    assert metrics["test_accuracy"] >= 0.9
    assert metrics["minutes"] > 0
    assert metrics["students"] == [{name: metrics[name] for name in metrics["students"][0]}]
    reached, minutes = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(r".*model\.pt: (\w[\w ]+ \d+\.\d\d%(, )?)+", reached)
    assert "minutes" not in reached  # not a share
    assert re.fullmatch(r"\d+\.\d minutes", minutes)


def test_a_short_run_does_not_read_the_test_set(monkeypatch, tmp_path):
    def read(_labels):
        raise AssertionError("the test set was read")

    assert _main(monkeypatch, tmp_path, labels_of_test=read, onnx=True, epochs=1) == 0
    assert "test_accuracy" not in torch.load(tmp_path / "model.pt", weights_only=True)["metrics"]
    assert (tmp_path / "model.onnx").exists()
    assert (tmp_path / "model.int8.onnx").exists()
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["settings"]["epochs"] == 1
    assert len(described["metrics"]["curve"]) == 1


def test_missing_data_gives_one_line_with_the_command(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(data, "load", functools.partial(data.load, root=tmp_path))
    assert train.main(["--output", str(tmp_path / "model.pt")]) == 1
    assert "make data" in capsys.readouterr().err


# A training process that receives SIGINT, as from Ctrl-C.
PROGRAM = """
import signal
import sys
from tests.training import synthetic
from training.data import mnist as data
from training.train import run as train

# A test run in the background ignores SIGINT, and child processes inherit this.
signal.signal(signal.SIGINT, signal.default_int_handler)
data.load = lambda *, train: synthetic.digits(120)
sys.exit(train.main(sys.argv[1:]))
"""


def _start(output: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "--output", output, "--epochs=10000", "--validation-images=20",
         "--batch-size=10", "--width=0.25", "--drawn-images=60", "--without-real-drawings"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.service
def test_ctrl_c_leaves_the_latest_checkpoint_and_prints_its_path(tmp_path):
    output = tmp_path / "model.pt"
    process = _start(output)
    lines = []
    while not any(line.startswith("student 1, epoch  2") for line in lines):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert said.splitlines()[-2:] == [
        "Interrupted. Run the same command again to continue.",
        f"Latest checkpoint: {output}.",
    ]
    assert torch.load(output, weights_only=True)["metrics"]["epochs"] >= 1
    Predictor.load(output, version="test")
    assert output.with_suffix(".onnx").exists()


def test_ctrl_c_before_the_first_checkpoint_prints_no_path(tmp_path, monkeypatch, capsys):
    def interrupt(_recipe, _digits):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", lambda *, train: synthetic.digits(10))
    monkeypatch.setattr(train, "train", interrupt)
    output = tmp_path / "model.pt"
    output.write_bytes(b"of an earlier run")
    os.utime(output, (0, 0))
    assert train.main(["--output", str(output)]) == 130
    assert capsys.readouterr().err == "\nInterrupted. Run the same command again to continue.\n"
    assert output.read_bytes() == b"of an earlier run"
