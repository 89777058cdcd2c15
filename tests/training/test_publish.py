"""Publishing writes measured numbers of a checkpoint, and the release meets its bars."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from handler.model import restore_model
from handler.onnx_session import FLOAT32, INT8
from ops.versions.state import RELEASED, VERSION_FORM
from tests.training import synthetic
from training import publish
from training.archive import pack as archive
from training.archive.pack import RELEASED_CHECKPOINT
from training.data import mnist as data
from training.data import pen_data, reporting_sets
from training.evaluate import behaviour, measure
from training.photos import measure as photos
from training.train.checkpoint import write, write_description

AT_LEAST = {
    "MNIST test set, accuracy (95 % interval)": 0.995,
    "pendigits, reporting writers, accuracy (95 % interval)": 0.993,
    "AUROC of digit_score, reporting writers against Omniglot": 0.977,
    **{f"invariance, same digit when {change}": 0.99 for change in behaviour.CHANGES},
}
AT_MOST = {
    "MNIST test set, calibration error in 15 bins": 0.003,
    "pendigits, reporting writers, calibration error in 15 bins": 0.0045,
    "pendigits, reporting writers, rejected as not a digit": 0.007,
    **{f"{kind}, accepted as a digit": 0.01 for kind in behaviour.NON_DIGITS},
}


@pytest.fixture
def small_sets(monkeypatch):
    """Replace MNIST and the real drawings by small generated sets."""
    synthetic.shrink_evaluation(monkeypatch, synthetic.digits(40))
    monkeypatch.setattr(reporting_sets, "digits", lambda limit=None: synthetic.digits(30))
    monkeypatch.setattr(reporting_sets, "non_digits", lambda: np.zeros((5, 28, 28), np.uint8))
    monkeypatch.setattr(photos, "digits_by_people", lambda *, report: None)


@pytest.fixture
def run(tmp_path) -> Path:
    """The checkpoints of a run with three students, as `make train` leaves them."""
    content = torch.load(RELEASED_CHECKPOINT, weights_only=True)
    content["metrics"]["students"] = [{}, {}, {}]
    first = tmp_path / "runs" / "latest.pt"
    for path in (first, first.with_stem("latest-2"), first.with_stem("latest-3")):
        write(content, path)
        for suffix in (FLOAT32, INT8):
            shutil.copyfile(RELEASED_CHECKPOINT.with_suffix(suffix), path.with_suffix(suffix))
    return first


@pytest.fixture(scope="module")
def released() -> dict:
    return json.loads(RELEASED_CHECKPOINT.with_suffix(".json").read_text(encoding="utf-8"))


def test_the_card_has_the_kinds_of_photos_with_digits_by_reporting_writers(
    tmp_path, run, small_sets, monkeypatch
):
    written = {True: [([np.array([[0.0, 0.0], [2.0, 9.0]])], 1)], False: None}
    monkeypatch.setattr(photos, "digits_by_people", lambda *, report: written[report])
    monkeypatch.setattr(photos, "PICTURES_OF_EACH_KIND", 2)
    monkeypatch.setattr(
        photos, "KINDS", {name: photos.KINDS[name] for name in ("clean_canvas", "blank_sheet")}
    )
    text = publish.publish(run, "7.3", "The only run.", tmp_path).read_text()
    assert "| clean_canvas | 100% | 0% | 0% |\n| blank_sheet | 100% | 100% | 0% |\n" in text
    assert "Mean over 2 kinds: 100.0% right, 0.00% wrong" in text


def test_publishing_writes_checkpoint_numbers_pictures_and_card(tmp_path, run, small_sets):
    card = publish.publish(run, "7.3", "The only run.", tmp_path)
    release = tmp_path / "release"
    for suffix in (".pt", FLOAT32, INT8):
        assert (release / f"mnist-7.3{suffix}").read_bytes() == run.with_suffix(suffix).read_bytes()
    numbers = json.loads((release / "mnist-7.3.json").read_text())
    assert numbers["version"] == "7.3"
    accuracy = numbers["measured"]["mnist_test"]["accuracy"]
    assert [seed["MNIST test set, accuracy (95 % interval)"] for seed in numbers["seeds"]] == [accuracy] * 3
    text = card.read_text()
    assert "How this run was selected: The only run." in text
    [row] = [line for line in text.splitlines() if line.startswith("| MNIST test set, accuracy")]
    assert row.endswith(f"| {accuracy:.2%} ± 0.00% |")
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    assert len(pictures) == 3
    assert all((tmp_path / picture).is_file() for picture in pictures)


def test_publishing_a_release_again_keeps_the_metrics_of_other_seeds(tmp_path, run, small_sets):
    publish.publish(run, "7.3", "The only run.", tmp_path)
    first = tmp_path / "release" / "mnist-7.3.json"
    before = json.loads(first.read_text())
    name = "MNIST test set, accuracy (95 % interval)"
    for seed, accuracy in zip(before["seeds"], (0.1, 0.2, 0.3), strict=True):
        seed[name] = accuracy
    first.write_text(json.dumps(before))
    publish.publish(first.with_suffix(".pt"), "7.4", "The same.", tmp_path)
    seeds = json.loads((tmp_path / "release" / "mnist-7.4.json").read_text())["seeds"]
    assert [seed[name] for seed in seeds[1:]] == [0.2, 0.3]
    assert seeds[0][name] > 0.9
    publish.publish(first.with_suffix(".pt"), "7.3", "In place.", tmp_path)
    assert json.loads(first.read_text())["history"] == "In place."


def test_a_card_marks_metrics_that_were_not_measured(tmp_path, run, small_sets, monkeypatch):
    monkeypatch.setattr(reporting_sets, "digits", lambda limit=None: None)
    text = publish.publish(run, "7.3", "The only run.", tmp_path).read_text()
    row = "| pendigits, reporting writers, accuracy (95 % interval) |" + " not measured |" * 3
    assert row in text
    assert "errors-pendigits" not in text


def test_a_card_credits_the_sources_of_its_pen_strokes(released):
    without = released["settings"] | {"without_real_drawings": True}
    assert "UJI Pen Characters" not in publish.card(released | {"settings": without})
    text = publish.card(released)
    assert "each rendered 12 times" in text
    for credit in ("UCI 160;\nCC BY 4.0", "Repository 81; CC BY 4.0", "B. Lake; MIT"):
        assert credit in text.partition("For measurement only")[0]


def test_the_card_of_a_run_with_one_seed_has_no_spread(released):
    lines = publish.card(released | {"seeds": released["seeds"][:1]}).splitlines()
    head = lines.index("| | int8 | float32 |")
    assert lines[head + 1] == "|---|---|---|"
    assert lines[head + 2].count("|") == 4


def test_a_run_with_a_missing_seed_is_rejected(tmp_path, run, small_sets):
    run.with_stem("latest-2").unlink()
    write_description({"seed": 2}, run)
    with pytest.raises(ValueError, match=r"belongs to a run with 3 seeds, but \S*latest-2.pt is missing"):
        publish.publish(run, "7.3", "The only run.", tmp_path)


def test_a_checkpoint_too_large_for_git_is_rejected(tmp_path):
    large = tmp_path / "large.pt"
    large.write_bytes(b"\0" * (publish.MAXIMUM_BYTES + 1))
    with pytest.raises(ValueError, match="more than 2,500,000"):
        publish.publish(large, "7.3", "The only run.", tmp_path)


def test_the_released_checkpoint_is_the_default_version(released):
    assert released["version"] == RELEASED
    assert RELEASED_CHECKPOINT.name == f"mnist-{RELEASED}.pt"
    assert archive.VERSION_FORM.pattern == VERSION_FORM.pattern  # ops and training do not import each other


def test_the_released_numbers_match_the_checkpoint(released):
    checkpoint = torch.load(RELEASED_CHECKPOINT, weights_only=True)
    assert RELEASED_CHECKPOINT.stat().st_size == released["bytes"] <= 2_500_000
    assert RELEASED_CHECKPOINT.with_suffix(INT8).stat().st_size == released["int8_bytes"]
    assert (
        sum(parameter.numel() for parameter in restore_model(checkpoint["state_dict"]).parameters())
        == released["parameters"]
    )
    for name in checkpoint.keys() - {"state_dict"}:
        assert released[name] == checkpoint[name], name
    strokes = {file.name: file.sha256 for file in pen_data.LEARNED}
    assert released["data_checksums"] == data.CHECKSUMS | strokes


def test_the_model_card_matches_the_released_numbers(released):
    assert (publish.FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8") == publish.card(released)


def test_the_release_meets_the_bars(released):
    assert released["parameters"] <= 500_000
    int8, float32 = measure.flat_metrics(released["measured"]), released["seeds"][0]
    for figures in (int8, float32):
        for name, least in AT_LEAST.items():
            assert figures[name] >= least, name
        for name, most in AT_MOST.items():
            assert figures[name] < most, name
    same = "same digit in ONNX Runtime and in torch"
    assert float32[same] >= 0.9995
    assert int8[same] >= 0.998


def test_quantization_costs_at_most_a_few_images(released):
    # Five of 10,000 MNIST images and two of 1,499 by reporting writers.
    most = {"MNIST": 5 / 10_000, "pendigits": 2 / 1499}
    int8, float32 = measure.flat_metrics(released["measured"]), released["seeds"][0]
    for name in (*AT_LEAST, *AT_MOST):
        for of, share in most.items():
            if name.startswith(of):
                better = int8[name] - float32[name] if name in AT_LEAST else float32[name] - int8[name]
                assert better >= -share, name


def test_the_command_names_a_missing_checkpoint(capsys):
    with pytest.raises(SystemExit):
        publish.main(["--version", "1.1", "--history", "none", "--checkpoint", "runs/none.pt"])
    assert "CHECKPOINT 'runs/none.pt' is not a file" in capsys.readouterr().err


def test_the_command_requires_a_history(capsys):
    with pytest.raises(SystemExit):
        publish.main(["--version", "1.1"])
    assert "--history" in capsys.readouterr().err
