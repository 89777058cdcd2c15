"""The network: the served ONNX sessions and other ways to run the same weights.

Single images and batches on one thread. All contenders run in turn in one process, so that other load affects each
equally. Compiled contenders need a C++ compiler (g++) and are skipped without one.
"""

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.figures import format_number, median, percentile, ratio
from benchmarks.load import LoadError
from benchmarks.results import Results, Table
from benchmarks.running import say
from fixtures.canvas_png import canvases
from handler.images import read_image
from handler.model import DigitClassifier, fold_batch_norm, restore_model
from handler.onnx_session import Logits, as_tensor, eager, load_sessions
from handler.preprocessing import preprocess
from training.archive.pack import RELEASED_CHECKPOINT

SIZES = (1, 2, 8)
ROUNDS = 400
# Between the requests of one person, a worker is idle and other processes use the caches.
PAUSE_S = 0.003
PAUSED_ROUNDS = 150
# Largest accepted differences of the logits: of a compiled program, and of int8 (largest measured: 1.1).
TOLERANCE, INT8_TOLERANCE = 1e-3, 3
EAGER, FLOAT32, INT8 = "torch, as it was trained", "ONNX Runtime, float32", "ONNX Runtime, int8"

Times = dict[str, list[float]]


def measure() -> Results:
    """Run each contender on the page's canvases and return the tables."""
    torch.set_num_threads(1)
    inputs = np.stack([preprocess(read_image(body)) for body in canvases()])
    with _contenders() as contenders:
        _expect_same_logits(contenders, inputs)
        by_size = {size: _times(contenders, inputs, size, ROUNDS) for size in SIZES}
        paused = _times(contenders, inputs, 1, PAUSED_ROUNDS, PAUSE_S)
    tables = [_bar(by_size[1]), *(_table(f"{size} at once", size, by_size[size]) for size in SIZES)]
    tables.append(_table(f"1, after a pause of {PAUSE_S * 1000:g} ms", 1, paused))
    summary = (
        f"The released network on {len(inputs)} drawings, from the network's input to logits, on one thread. All "
        f"contenders except int8 give the same logits within {TOLERANCE:g}."
    )
    return Results("network", summary, tables, {"ms": by_size, "paused_ms": paused})


@contextmanager
def _contenders() -> Iterator[dict[str, Logits]]:
    def model() -> DigitClassifier:
        state_dict = torch.load(RELEASED_CHECKPOINT, weights_only=True)["state_dict"]
        return restore_model(state_dict).eval().requires_grad_(False)

    sessions = load_sessions(RELEASED_CHECKPOINT.with_suffix(".onnx"), fold_batch_norm(model()))
    if len(sessions) < 2:
        raise LoadError("The released network does not load in ONNX Runtime.")
    contenders = {
        EAGER: eager(model()),
        "torch, folded": eager(fold_batch_norm(model()).requires_grad_(False)),
        FLOAT32: sessions["float32"],
        INT8: sessions["int8"],
    }
    if shutil.which("g++") is None:
        say("torch.compile and AOTInductor are skipped: they need a C++ compiler (g++).")
        yield contenders
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about its own code
        contenders["torch.compile"] = eager(
            torch.compile(fold_batch_norm(model()).requires_grad_(False), dynamic=True)
        )
        contenders["torch.export and AOTInductor"] = _compile_ahead_of_time(
            fold_batch_norm(model()), Path(folder)
        )
        yield contenders


def _compile_ahead_of_time(model: nn.Module, folder: Path) -> Logits:
    exported = torch.export.export(
        model, (torch.zeros(2, 1, 28, 28),), dynamic_shapes=({0: torch.export.Dim("images", min=1, max=64)},)
    )
    package = torch._inductor.aoti_compile_and_package(exported, package_path=str(folder / "network.pt2"))
    loaded: Callable[[torch.Tensor], torch.Tensor] = torch._inductor.aoti_load_package(package)

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            answered: NDArray[np.float32] = loaded(as_tensor(pixels)).numpy()
        return answered

    return logits


def _expect_same_logits(contenders: dict[str, Logits], inputs: NDArray[np.uint8]) -> None:
    """Raises LoadError unless all contenders compute the same logits, and so do the same work."""
    expected = contenders[EAGER](inputs[: max(SIZES)])
    for name, logits in contenders.items():
        tolerance = INT8_TOLERANCE if name == INT8 else TOLERANCE
        if np.abs(logits(inputs[: max(SIZES)]) - expected).max() > tolerance:
            raise LoadError(f"{name} and {EAGER} give different logits.")


def _times(
    contenders: dict[str, Logits], inputs: NDArray[np.uint8], size: int, rounds: int, pause_s: float = 0.0
) -> Times:
    """Milliseconds of each call, round by round, without the warm-up."""
    times: Times = {name: [] for name in contenders}
    warm_up = rounds // 10
    for number in range(rounds + warm_up):
        start = number * size % (len(inputs) - size + 1)
        batch = np.ascontiguousarray(inputs[start : start + size])
        for name, logits in contenders.items():
            if pause_s:
                time.sleep(pause_s)
            began = time.perf_counter()
            logits(batch)
            if number >= warm_up:
                times[name].append((time.perf_counter() - began) * 1000)
    return times


def _bar(times: Times) -> Table:
    served = min((FLOAT32, INT8), key=lambda name: median(times[name]))
    faster, int8 = ratio(times[served], times[EAGER]), ratio(times[INT8], times[FLOAT32])
    rows = [
        ["median of the faster ONNX file, divided by that of eager torch", format_number(faster), "0.6"],
        ["int8, of float32's time", format_number(int8), "no bar"],
    ]
    return Table("One image", ["", "measured", "at most"], rows)


def _table(title: str, size: int, times: Times) -> Table:
    rows = []
    for name, taken in times.items():
        numbers = (median(taken) / size, percentile(taken, 99) / size, ratio(taken, times[EAGER]))
        rows.append([name, *map(format_number, numbers), f"{len(taken):,}"])
    return Table(title, ["", "p50 ms an image", "p99", "of eager", "n"], rows)
