"""Where the time of one request goes inside a worker: each stage alone, on the drawings that the page sends.

python -m benchmarks.stages
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.drawings import canvases
from benchmarks.figures import median, percentile, shown
from handler.images import decoded, open_image
from handler.ink import find_inks
from handler.predictor import Predictor
from handler.preprocessing import preprocess
from ops.versions.state import RELEASED
from training.archive.pack import RELEASED_CHECKPOINT

ROUNDS = 20


def measure(bodies: Sequence[bytes], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Milliseconds of each stage for each body, `rounds` times; on one thread, as a worker works."""
    torch.set_num_threads(1)
    predictor = Predictor.load(RELEASED_CHECKPOINT, version=RELEASED)
    images = [decoded(open_image(body)) for body in bodies]
    inputs = [preprocess(image) for image in images]
    answers = [prediction.as_dict() for prediction in predictor.predict_inputs(inputs)]
    eights = [inputs[start : start + 8] for start in range(0, len(inputs) - 7, 8)]

    return {
        "decode": _times(lambda body: decoded(open_image(body)), bodies, rounds),
        "ink": _times(find_inks, images, rounds),
        "ink, scale and centre": _times(preprocess, images, rounds),
        "net, one alone": _times(lambda one: predictor.predict_inputs([one]), inputs, rounds),
        "net, each of eight": [took / 8 for took in _times(predictor.predict_inputs, eights, rounds)],
        "JSON": _times(
            lambda answer: json.dumps(answer, separators=(",", ":")).encode("ascii"), answers, rounds
        ),
    }


def _times(stage: Callable[[Any], object], things: Sequence[Any], rounds: int) -> list[float]:
    stage(things[0])
    took = []
    for _ in range(rounds):
        for thing in things:
            started = time.perf_counter()
            stage(thing)
            took.append((time.perf_counter() - started) * 1000)
    return took


def main() -> None:
    for stage, times in measure(canvases()).items():
        p99, least = shown(percentile(times, 99)), shown(min(times))
        print(f"{stage:<24} p50 {shown(median(times)):>6} ms   p99 {p99:>6}   min {least:>6}")


if __name__ == "__main__":
    main()
