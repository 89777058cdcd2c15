"""Run the network in ONNX Runtime, in float32 or int8.

    sessions = load_sessions(Path("model.onnx"), model)     # {"float32": ..., "int8": ...}
    logits = sessions[pick_fastest(sessions)]
    logits(pixels)     # uint8 (N, 28, 28), ink 255, to float32 (N, outputs)

`training.train.onnx_export` writes both files. They contain no machine code and need no compiler. ONNX Runtime runs
them on every processor that it is built for, and they can call nothing but ONNX operators.
"""

import hashlib
import logging
import os
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

logger = logging.getLogger(__name__)

# Suffixes of the ONNX files beside a checkpoint.
FLOAT32, INT8 = ".onnx", ".int8.onnx"
SOURCE = "source_sha256"  # metadata of the int8 file: the SHA-256 of its float32 file
# Rounding changes logits by 1e-5; other weights change them by 1 and more.
TOLERANCE = 1e-2
# Images of noise, always the same, which reach all weights of a network.
PROBES = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
# Runs of each session; the shortest does not depend on other load. Together they take about 10 ms.
TIMINGS = 10


def eager(model: nn.Module) -> Logits:
    """The network in PyTorch."""

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return model(as_tensor(pixels)).numpy()

    return logits


def load_sessions(path: Path, model: nn.Module) -> dict[str, Logits]:
    """Sessions of the ONNX files by data type, "float32" and "int8"; an unusable file is left out and logged.

    The float32 file must give the logits of `model`, and the int8 file must be quantized from the float32 file. Without
    a usable float32 file there are no sessions.
    """
    sessions: dict[str, Logits] = {}
    file = path
    try:
        float32 = _session(file)
        _expect_logits_of(model, float32)
        sessions["float32"] = float32
        file = path.with_suffix(INT8)
        sessions["int8"] = _session(file, path)
    except Exception as error:  # the exceptions of ONNX Runtime have no common class
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        instead = "float32" if sessions else "PyTorch"
        logger.warning("%s cannot be used (%s): %s runs the network.", file.name, why, instead)
    return sessions


def pick_fastest(sessions: dict[str, Logits]) -> str:
    """The data type of the session that takes least time for one image here, logged; "torch" without sessions."""
    seconds = {
        name: min(timeit.repeat(partial(logits, PROBES[:1]), number=1, repeat=TIMINGS))
        for name, logits in sessions.items()
    }
    fastest = min(seconds, key=seconds.__getitem__, default="torch")
    times = ", ".join(f"{name} {1000 * least:.2f} ms" for name, least in seconds.items())
    logger.info("%s runs the network (one image: %s).", fastest, times)
    return fastest


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """The network's input, float32 (N, 1, 28, 28) with ink 1, of prepared images, uint8 (N, 28, 28)."""
    return torch.from_numpy(pixels).unsqueeze(1).float().div_(255)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _session(path: Path, source: Path | None = None) -> Logits:
    """The network in an ONNX file; raises ValueError if the file was not quantized from the file `source`."""
    # ONNX Runtime 1.29 and newer otherwise reports to Microsoft which models it loads and how often they run, under an
    # identifier that it writes into the home folder.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # not in all environments that import a predictor

    options = onnxruntime.SessionOptions()
    # The thread pools of two workers would compete for the cores.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if source and session.get_modelmeta().custom_metadata_map.get(SOURCE) != sha256(source):
        raise ValueError(f"it was not made from {source.name}")

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return session.run(None, {"pixels": pixels})[0]

    return logits


def _expect_logits_of(model: nn.Module, session: Logits) -> None:
    """Raise ValueError unless both give the same logits except for rounding."""
    found, expected = session(PROBES), eager(model)(PROBES)
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    if not difference < TOLERANCE:
        raise ValueError(f"it belongs to another network: its logits differ by {difference:g}")
