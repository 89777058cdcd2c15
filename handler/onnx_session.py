"""The network in ONNX Runtime, as float32 and as int8.

    sessions = load_sessions(Path("model.onnx"), model)     # {"float32": ..., "int8": ...}
    logits = sessions[pick_fastest(sessions)]
    logits(pixels)     # uint8 (N, 28, 28), ink 255, to float32 (N, outputs)

`training.train.onnx_export` makes both files. They describe the network and are no machine code: they need no compiler,
run on whatever processor ONNX Runtime was built for, and nothing in them can be called but the operators of ONNX.
"""

import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

logger = logging.getLogger(__name__)

# Of the two ONNX files beside a checkpoint; and what the int8 file names the float32 file with that it was made from.
FLOAT32, INT8 = ".onnx", ".int8.onnx"
SOURCE = "source_sha256"
# Rounding differs by 1e-5; a network with other weights by 1 and more.
TOLERANCE = 1e-2
PROBES = 4
# The least of so many times is the processor's, whatever else runs: together they take about 10 ms.
TIMINGS = 10


def eager(model: nn.Module) -> Logits:
    """The network in torch."""

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            answered: NDArray[np.float32] = model(as_tensor(pixels)).numpy()
        return answered

    return logits


def load_sessions(path: Path, model: nn.Module) -> dict[str, Logits]:
    """The network from its ONNX files by data type; a file that cannot serve is left out, and why goes to the log.

    "float32" answers as `model` does, or torch must answer: then there is none. "int8" was made from the float32 file.
    """
    sessions: dict[str, Logits] = {}
    file = path
    try:
        float32 = _session(file)
        _expect_logits_of(model, float32)
        sessions["float32"] = float32
        file = path.with_suffix(INT8)
        sessions["int8"] = _session(file, path)
    except Exception as error:  # ONNX Runtime's have no class of their own in common
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        instead = "float32" if sessions else "PyTorch"
        logger.warning("%s cannot be used (%s): %s runs the network.", file.name, why, instead)
    return sessions


def pick_fastest(sessions: dict[str, Logits]) -> str:
    """The data type whose session answers one image soonest on this processor, by a timing that goes to the log.

    "torch" where there is no session.
    """
    least = {name: _least_milliseconds(logits) for name, logits in sessions.items()}
    fastest = min(least, key=lambda name: least[name], default="torch")
    times = ", ".join(f"{name} {took:.2f} ms" for name, took in least.items())
    logger.info("%s runs the network (one image: %s).", fastest, times)
    return fastest


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Prepared images, uint8 (N, 28, 28), as the model takes them: float32 (N, 1, 28, 28), ink 1."""
    return torch.from_numpy(pixels).unsqueeze(1).float().div_(255)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _session(path: Path, made_from: Path | None = None) -> Logits:
    """The logits of an ONNX file; raises ValueError where it does not name the file `made_from` as its source."""
    # Else ONNX Runtime, from 1.29 on, sends Microsoft what it loads and how often that runs, under an identifier that
    # it writes into the home folder.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # not in every environment that imports a predictor

    options = onnxruntime.SessionOptions()
    # Two workers with a pool of threads each would fight for the cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if made_from and session.get_modelmeta().custom_metadata_map.get(SOURCE) != sha256(made_from):
        raise ValueError(f"it was not made from {made_from.name}")

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        answered: NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
        return answered

    return logits


def _expect_logits_of(model: nn.Module, session: Logits) -> None:
    """Raises ValueError unless both give the same logits but for rounding."""
    answered, expected = session(_probes()), eager(model)(_probes())
    same_shape = answered.shape == expected.shape
    difference = float(np.abs(answered - expected).max()) if same_shape else np.inf
    if not difference < TOLERANCE:
        raise ValueError(f"it belongs to another network: its logits differ by {difference:g}")


def _least_milliseconds(logits: Logits) -> float:
    one, took = _probes()[:1], []
    for _ in range(TIMINGS):
        started = time.perf_counter()
        logits(one)
        took.append((time.perf_counter() - started) * 1000)
    return min(took)


def _probes() -> NDArray[np.uint8]:
    """Pictures that reach all of a network's weights: noise, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (PROBES, 28, 28), dtype=np.uint8)
