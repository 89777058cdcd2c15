"""What is published describes the checkpoint that it lies beside, by numbers that were measured."""

import json

import pytest
import torch

from handler.model import DigitClassifier
from tests.training import synthetic
from training import data, publish
from training.archive import RELEASED_CHECKPOINT


@pytest.fixture
def measured_on(monkeypatch):
    """Without MNIST: the test set and the drawings are a few of our own."""
    monkeypatch.setattr(data, "load", lambda *, train: None if train else synthetic.digits(40))
    monkeypatch.setattr(publish, "drawings", lambda: synthetic.digits(30))


@pytest.fixture(scope="module")
def released() -> dict:
    return json.loads(RELEASED_CHECKPOINT.with_suffix(".json").read_text(encoding="utf-8"))


def test_publishing_writes_checkpoint_numbers_and_card(tmp_path, measured_on):
    card = publish.publish(RELEASED_CHECKPOINT, "7.3", "The only run.", tmp_path)
    assert (tmp_path / "release" / "mnist-7.3.pt").read_bytes() == RELEASED_CHECKPOINT.read_bytes()
    numbers = json.loads((tmp_path / "release" / "mnist-7.3.json").read_text())
    assert numbers["version"] == "7.3"
    assert numbers["mnist_test"]["digits"] == 40
    text = card.read_text()
    assert "How this run came to be chosen: The only run." in text
    assert f"| MNIST test set | 40 | {numbers['mnist_test']['accuracy']:.2%} |" in text
    assert f"| 30 | {numbers['pendigits']['accuracy']:.2%} |" in text


def test_a_card_says_what_was_not_measured(tmp_path, measured_on, monkeypatch):
    monkeypatch.setattr(publish, "drawings", lambda: None)
    assert (
        "not measured" in publish.publish(RELEASED_CHECKPOINT, "7.3", "The only run.", tmp_path).read_text()
    )


def test_what_is_too_large_for_git_is_refused(tmp_path):
    large = tmp_path / "large.pt"
    large.write_bytes(b"\0" * (publish.MAXIMUM_BYTES + 1))
    with pytest.raises(ValueError, match="more than 2,500,000"):
        publish.publish(large, "7.3", "The only run.", tmp_path)


def test_the_released_numbers_are_those_of_the_released_checkpoint(released):
    checkpoint = torch.load(RELEASED_CHECKPOINT, weights_only=True)
    assert RELEASED_CHECKPOINT.stat().st_size == released["bytes"] <= 2_500_000
    assert sum(parameter.numel() for parameter in DigitClassifier().parameters()) == released["parameters"]
    for name in checkpoint.keys() - {"state_dict"}:
        assert released[name] == checkpoint[name], name
    assert released["data_checksums"] == data.CHECKSUMS


def test_the_model_card_is_written_from_the_released_numbers(released):
    assert (publish.FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8") == publish.card(released)


def test_the_release_meets_the_bars(released):
    assert released["mnist_test"]["accuracy"] >= 0.995
    assert released["pendigits"]["accuracy"] >= 0.94


def test_the_command_names_what_is_missing(capsys):
    with pytest.raises(SystemExit):
        publish.main(["--version", "1.1", "--history", "none", "--checkpoint", "runs/none.pt"])
    assert "CHECKPOINT 'runs/none.pt' is not a file" in capsys.readouterr().err


def test_a_card_without_its_history_is_not_written(capsys):
    with pytest.raises(SystemExit):
        publish.main(["--version", "1.1"])
    assert "--history" in capsys.readouterr().err
