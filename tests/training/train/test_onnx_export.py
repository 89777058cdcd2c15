"""The ONNX files of a checkpoint give its logits."""

from pathlib import Path

import numpy as np
import pytest
import torch

from handler.model import OUTPUTS, DigitClassifier, fold_batch_norm
from handler.onnx_session import INT8, eager, load_sessions
from tests.training import synthetic
from training.train import onnx_export
from training.train.onnx_export import ExportError, export


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "calibration_images", synthetic.calibration_images)
    torch.manual_seed(3)
    torch.save({"state_dict": DigitClassifier().state_dict()}, tmp_path / "trained.pt")
    return tmp_path / "trained.pt"


def test_it_gives_the_logits_of_torch_and_has_no_local_paths(checkpoint):
    path = export(checkpoint)
    torch.manual_seed(3)
    model = fold_batch_norm(DigitClassifier())
    pixels = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    assert path == checkpoint.with_suffix(".onnx")
    sessions = load_sessions(path, model)
    # Logits differ by up to 1e-4 between processors, and by 1 or more between networks.
    assert np.abs(sessions["float32"](pixels) - eager(model)(pixels)).max() < 1e-3
    assert sessions["int8"](pixels).shape == (5, OUTPUTS)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "trained.int8.onnx", "trained.onnx", "trained.pt",
    ]  # fmt: skip
    for file in (path, path.with_suffix(INT8)):
        content = file.read_bytes()
        for told in (str(Path(onnx_export.__file__).parent), "onnx_export.py", "stack_trace"):
            assert told.encode() not in content


@pytest.mark.parametrize("usable", [{}, {"float32": None}])
def test_files_with_other_logits_are_deleted(checkpoint, monkeypatch, usable):
    monkeypatch.setattr(onnx_export, "load_sessions", lambda path, model: usable)
    with pytest.raises(ExportError, match=r"trained\.onnx"):
        export(checkpoint)
    assert [file.name for file in checkpoint.parent.iterdir()] == ["trained.pt"]
