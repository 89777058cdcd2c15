"""Export a checkpoint's network to ONNX files beside it, in float32 and int8; TorchServe's workers serve them.

    export(Path("runs/latest.pt"))   # runs/latest.onnx and runs/latest.int8.onnx

`make train` runs it last. Input: preprocessed pixels, uint8 (N, 28, 28); output: logits, float32 (N, outputs). Batch
normalization is folded into the convolutions.
"""

import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from handler.model import fold_batch_norm, restore_model
from handler.onnx_session import FLOAT32, INT8, load_sessions
from training.train.quantize import calibration_images, quantize

LARGEST_BATCH = 1024


class ExportError(Exception):
    """The exported network does not give the logits of its checkpoint; the message names both."""


class _FromPixels(nn.Module):
    """The model with its input scaling, so that the ONNX file takes uint8 pixels."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.model(pixels.unsqueeze(1).float() / 255)
        return logits


def export(checkpoint: Path) -> Path:
    """Write both ONNX files of a checkpoint beside it; return the path of the float32 file.

    Raises ExportError, and DataError if MNIST is missing.
    """
    path = checkpoint.with_suffix(FLOAT32)
    _delete_exports(checkpoint)
    model = fold_batch_norm(
        restore_model(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    )
    batch = torch.export.Dim("images", min=1, max=LARGEST_BATCH)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with warnings.catch_warnings():  # deprecations inside the exporter
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _FromPixels(model).eval(),
            (torch.zeros(2, 28, 28, dtype=torch.uint8),),  # a batch of one would become a constant
            unfinished,
            dynamo=True,
            dynamic_shapes=({0: batch},),
            input_names=["pixels"],
            output_names=["logits"],
            external_data=False,
            verbose=False,
        )
    _strip_metadata(unfinished)
    unfinished.replace(path)
    quantize(path, calibration_images())
    if load_sessions(path, model).keys() != {"float32", "int8"}:
        _delete_exports(checkpoint)
        raise ExportError(f"{path}: the exported network does not give the logits of {checkpoint}")
    return path


def _delete_exports(checkpoint: Path) -> None:
    for suffix in (FLOAT32, INT8):
        checkpoint.with_suffix(suffix).unlink(missing_ok=True)


def _strip_metadata(path: Path) -> None:
    """Remove the exporter's metadata of each node: source lines, with paths of this machine."""
    content = onnx.load(path)
    graph = content.graph
    parts = (graph.node, graph.value_info, graph.input, graph.output, graph.initializer, [graph, content])
    for part in (part for several in parts for part in several):
        part.ClearField("metadata_props")
    onnx.save(content, path)
