"""A real training run of seconds, on digits drawn by code."""

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

from handler.model import DigitClassifier, restored
from handler.predictor import Predictor, digit_scores
from tests.training import synthetic
from training import data, drawings, onnx_export, stages, train
from training.checkpoint import logits_of
from training.recipe import Recipe

ROOT = Path(__file__).parent.parent.parent
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
    """The checkpoint as the server reads it: nothing but plain types and tensors."""
    return torch.load(recipe.output, weights_only=True)


def _same(one, other) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_model_has_at_most_half_a_million_parameters():
    assert sum(parameter.numel() for parameter in DigitClassifier().parameters()) <= 500_000


def test_it_learns(saved):
    assert saved["metrics"]["validation_accuracy"] > 0.9


def test_what_was_saved_is_what_was_trained_and_serves(recipe, saved, checkpoint, digits):
    assert _same(saved["state_dict"], checkpoint["state_dict"])
    predictor = Predictor.load(Path(recipe.output), version="test")
    answers = predictor.predict_inputs(list(digits.images[:50]))
    assert (
        np.mean([answer.digit == label for answer, label in zip(answers, digits.labels[:50], strict=True)])
        > 0.9
    )


def test_the_checkpoint_carries_what_repeats_and_judges_it(recipe, saved):
    assert saved["settings"] == asdict(recipe)
    assert saved["data_checksums"] == data.CHECKSUMS
    assert saved["libraries"].keys() == {"python", "torch", "torchvision", "numpy"}
    assert saved["libraries"]["torch"] == str(torch.__version__)
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", saved["git_revision"])


def test_the_last_epoch_is_kept_and_measured(tmp_path):
    recipe = synthetic.quick(epochs=3, output=str(tmp_path / "model.pt"))
    [saved] = train.train(recipe, synthetic.digits(60))
    metrics = saved["metrics"]
    assert len(metrics["curve"]) == metrics["epochs"] == 3
    assert metrics["curve"][-1]["validation_loss"] == metrics["validation_loss"]


def _interrupt(monkeypatch, epochs: tuple[int, ...]) -> None:
    """Interrupt training at the ends of these epochs, counted from now over all networks and runs."""
    describe, count = stages.describe, 0

    def described(*arguments):
        nonlocal count
        count += 1
        if count in epochs:
            raise KeyboardInterrupt
        return describe(*arguments)

    monkeypatch.setattr(stages, "describe", described)


def test_an_interrupted_run_goes_on_to_the_same_models(tmp_path, monkeypatch, capsys):
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


def test_with_other_settings_it_starts_anew(tmp_path, monkeypatch, capsys):
    digits = synthetic.digits(60)
    recipe = synthetic.quick(epochs=2, output=str(tmp_path / "model.pt"))
    monkeypatch.setattr(train.shutil, "rmtree", lambda folder: None)  # as if it had been stopped at the end
    train.train(recipe, digits)
    train.train(replace(recipe, weight_decay=0.0), digits)
    assert "resumed" not in capsys.readouterr().out


def test_several_students_have_other_seeds(tmp_path):
    digits = synthetic.digits(60)
    [alone] = train.train(synthetic.quick(output=str(tmp_path / "alone.pt"), epochs=1), digits)
    recipe = synthetic.quick(output=str(tmp_path / "model.pt"), students=2, epochs=1)
    first, second = train.train(recipe, digits)
    assert _same(first["state_dict"], alone["state_dict"])
    assert not _same(first["state_dict"], second["state_dict"])
    saved = torch.load(tmp_path / "model-2.pt", weights_only=True)
    assert _same(saved["state_dict"], second["state_dict"])


def test_first_comes_the_student_to_which_the_labels_are_likeliest(monkeypatch, tmp_path):
    trained = []

    def backwards(*arguments):
        trained[:] = sorted(students(*arguments), key=_loss_of_both, reverse=True)
        return list(trained)

    students = train.train
    monkeypatch.setattr(train, "train", backwards)
    assert (
        _main(monkeypatch, tmp_path, labels_of_test=lambda labels: labels, epochs=1, students=2, seed=5) == 0
    )
    for name, student, seed in (("model", trained[1], 6), ("model-2", trained[0], 5)):
        saved = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        assert saved["seed"] == seed
        assert _same(saved["state_dict"], student["state_dict"])


def _loss_of_both(student) -> float:
    return student["metrics"]["validation_loss"] + student["metrics"]["held_out_loss"]


def test_a_finished_run_leaves_nothing_but_its_checkpoint(recipe, checkpoint):
    assert [path.name for path in Path(recipe.output).parent.iterdir()] == [Path(recipe.output).name]


def test_it_says_what_is_reached_and_how_long_it_will_take(tmp_path, capsys):
    recipe = synthetic.quick(epochs=2, output=str(tmp_path / "model.pt"))
    train.train(recipe, synthetic.digits(60))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["student 1, epoch  1 of 2", "student 1, epoch  2 of 2"]
    for line in lines:
        assert re.search(r"validation [\d.]+%, held-out styles [\d.]+%.*; .* left$", line)


def test_the_threshold_lets_so_many_digits_through(recipe, saved, digits):
    _, validation = train.split(digits, recipe)
    logits = logits_of(restored(saved["state_dict"]), validation.images)
    rejected = digit_scores(logits, saved["temperature"]) < saved["digit_threshold"]
    assert rejected.mean() <= recipe.rejected_share + 1 / len(validation)


def test_the_split_is_the_seeds_and_shares_nothing(recipe, digits):
    training, validation = train.split(digits, recipe)
    kept = recipe.validation_images
    assert (len(training), len(validation)) == (COUNT - kept, kept)
    order = np.random.default_rng(recipe.seed).permutation(COUNT)
    assert np.array_equal(validation.images, digits.images[order[:kept]])
    other = train.split(digits, synthetic.quick(seed=1))[1]
    assert not np.array_equal(validation.images, other.images)


def test_the_same_seed_gives_the_same_model_and_another_another(tmp_path):
    digits = synthetic.digits(60)

    def weights(seed: int):
        settings = synthetic.quick(seed=seed, epochs=1, output=str(tmp_path / "model.pt"))
        return train.train(settings, digits)[0]["state_dict"]

    first = weights(3)
    assert _same(first, weights(3))
    assert not _same(first, weights(4))


def test_too_large_a_validation_split_is_named(digits):
    with pytest.raises(ValueError, match="Setting 'validation_images' has value '295'"):
        train.train(synthetic.quick(validation_images=295), digits)


def _main(monkeypatch, tmp_path, *, labels_of_test, onnx: bool = False, **settings) -> int:
    def load(*, train: bool) -> data.Digits:
        digits = synthetic.digits(120 if train else 50, seed=int(train))
        return digits if train else data.Digits(digits.images, labels_of_test(digits.labels))

    monkeypatch.setattr(data, "load", load)
    if not onnx:
        monkeypatch.setattr(train, "export", lambda checkpoint: None)  # a second of each run
    monkeypatch.setattr(onnx_export, "calibration_images", synthetic.calibration_images)
    recipe = asdict(synthetic.quick(output=str(tmp_path / "model.pt"), validation_images=20, **settings))
    arguments = {f"--{name.replace('_', '-')}": value for name, value in recipe.items() if value is not False}
    return train.main([name if value is True else f"{name}={value}" for name, value in arguments.items()])


def _trained_before(monkeypatch, checkpoint) -> None:
    """A full run trains for as many epochs as the recipe; here its student is one that is trained already."""
    monkeypatch.setattr(train, "train", lambda *_: [copy.deepcopy(checkpoint)])


def test_a_full_run_that_misses_its_target_fails(monkeypatch, tmp_path, capsys, checkpoint):
    _trained_before(monkeypatch, checkpoint)
    status = _main(
        monkeypatch, tmp_path, labels_of_test=lambda labels: (labels + 1) % 10, epochs=Recipe().epochs
    )
    assert status == 1
    assert re.search(
        r"^MNIST test accuracy \d+\.\d\d% is below the target 99\.50%\.$",
        capsys.readouterr().err,
        re.MULTILINE,
    )


def test_a_full_run_that_meets_its_target_succeeds_and_records_the_test(
    monkeypatch, tmp_path, capsys, checkpoint
):
    _trained_before(monkeypatch, checkpoint)
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
    assert "minutes" not in reached  # they are no share
    assert re.fullmatch(r"\d+\.\d minutes", minutes)


def test_a_short_run_is_a_trial_that_reads_no_test_set(monkeypatch, tmp_path):
    def read(_labels):
        raise AssertionError("the test set was read")

    assert _main(monkeypatch, tmp_path, labels_of_test=read, onnx=True, epochs=1) == 0
    assert "test_accuracy" not in torch.load(tmp_path / "model.pt", weights_only=True)["metrics"]
    assert (tmp_path / "model.onnx").exists()
    assert (tmp_path / "model.int8.onnx").exists()
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["settings"]["epochs"] == 1
    assert len(described["metrics"]["curve"]) == 1


def test_without_data_one_line_says_how_to_fetch_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(data, "load", functools.partial(data.load, root=tmp_path))
    assert train.main(["--output", str(tmp_path / "model.pt")]) == 1
    assert "make data" in capsys.readouterr().err


# A run that a person started: a process of its own that gets SIGINT, as Ctrl-C sends it.
PROGRAM = """
import signal
import sys
from tests.training import synthetic
from training import data, train

# A test run in the background ignores SIGINT and passes that on.
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
def test_ctrl_c_leaves_the_best_so_far_and_says_where(tmp_path):
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


def test_ctrl_c_before_there_is_a_checkpoint_says_that_too(tmp_path, monkeypatch, capsys):
    def interrupted(_recipe, _digits):
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "load", lambda *, train: synthetic.digits(10))
    monkeypatch.setattr(train, "train", interrupted)
    output = tmp_path / "model.pt"
    output.write_bytes(b"of an earlier run")
    os.utime(output, (0, 0))
    assert train.main(["--output", str(output)]) == 130
    assert capsys.readouterr().err == "\nInterrupted. Run the same command again to continue.\n"
    assert output.read_bytes() == b"of an earlier run"
