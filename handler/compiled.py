"""The network in ONNX Runtime, which takes less than half of torch's time for one image.

    logits = compiled(Path("model.onnx"), model)
    (logits or eager(model))(pixels)   # uint8 (N, 28, 28), ink 255, to float32 (N, outputs)

`training.onnx_export` makes the file. It describes the network and is no machine code: it needs no compiler, runs on
whatever processor ONNX Runtime was built for, and nothing in it can be called but the operators of ONNX.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

logger = logging.getLogger(__name__)

# Rounding differs by 1e-5; a network with other weights by 1 and more.
TOLERANCE = 1e-2
PROBES = 4


def eager(model: nn.Module) -> Logits:
    """The network in torch."""

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            answered: NDArray[np.float32] = model(as_tensor(pixels)).numpy()
        return answered

    return logits


def compiled(path: Path, model: nn.Module) -> Logits | None:
    """The same network from an ONNX file; None where that cannot serve, and why goes to the log.

    It cannot where there is no file, where ONNX Runtime does not load it, and where it is another network than `model`.
    """
    if not path.is_file():
        logger.warning("No %s beside the weights: PyTorch runs the network.", path.name)
        return None
    try:
        logits = _session(path)
        pixels = _probes()
        answered, expected = logits(pixels), eager(model)(pixels)
    except Exception as error:  # its exceptions have no class of their own in common
        logger.warning("%s cannot be used (%s): PyTorch runs the network.", path.name, type(error).__name__)
        return None
    difference = np.inf
    if answered.shape == expected.shape:
        difference = float(np.abs(answered - expected).max())
    if not difference < TOLERANCE:
        logger.warning(
            "%s belongs to another network (its logits differ by %g): PyTorch runs the network.",
            path.name,
            difference,
        )
        return None
    return logits


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Prepared images, uint8 (N, 28, 28), as the model takes them: float32 (N, 1, 28, 28), ink 1."""
    return torch.from_numpy(pixels).unsqueeze(1).float().div_(255)


def _session(path: Path) -> Logits:
    # Else ONNX Runtime, from 1.29 on, sends Microsoft what it loads and how often that runs, under an identifier that
    # it writes into the home folder.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # not in every environment that imports a predictor

    options = onnxruntime.SessionOptions()
    # Two workers with a pool of threads each would fight for the cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        answered: NDArray[np.float32] = session.run(None, {name: pixels})[0]
        return answered

    return logits


def _probes() -> NDArray[np.uint8]:
    """Pictures that reach all of a network's weights: noise, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (PROBES, 28, 28), dtype=np.uint8)
