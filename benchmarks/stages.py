"""The time of each stage of a request inside a worker, on canvases of the page.

python -m benchmarks.stages
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.figures import format_number, summarize, time_each
from fixtures.canvas_png import canvases
from handler.images import read_image
from handler.ink import find_inks
from handler.predictor import Predictor
from handler.preprocessing import preprocess
from ops.versions.state import RELEASED
from training.archive.pack import RELEASED_CHECKPOINT

ROUNDS = 20


def measure(bodies: Sequence[bytes], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Milliseconds of each stage for each body, `rounds` times, on one thread like a worker."""
    torch.set_num_threads(1)
    predictor = Predictor.load(RELEASED_CHECKPOINT, version=RELEASED)
    images = [read_image(body) for body in bodies]
    inputs = [preprocess(image) for image in images]
    answers = [prediction.as_dict() for prediction in predictor.predict_inputs(inputs)]
    eights = [inputs[start : start + 8] for start in range(0, len(inputs) - 7, 8)]
    stages: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "decode": (read_image, bodies),
        "ink": (find_inks, images),
        "ink, scale and centre": (preprocess, images),
        "network, one image": (lambda one: predictor.predict_inputs([one]), inputs),
        "network, each of eight": (predictor.predict_inputs, eights),
        "JSON": (lambda answer: json.dumps(answer, separators=(",", ":")).encode("ascii"), answers),
    }
    times = {}
    for name, (stage, things) in stages.items():
        stage(things[0])
        times[name] = time_each(stage, [*things] * rounds)
    times["network, each of eight"] = [took / 8 for took in times["network, each of eight"]]
    return times


def main() -> None:
    for stage, times in measure(canvases()).items():
        p50, p99, _ = summarize(times)
        print(f"{stage:<24} p50 {p50:>6} ms   p99 {p99:>6}   min {format_number(min(times)):>6}")


if __name__ == "__main__":
    main()
