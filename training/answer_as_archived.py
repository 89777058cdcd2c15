"""Answer prepared images by the handler of an unpacked archive.

    python -P answer_as_archived.py FOLDER VERSION RUNTIME

Run by training.archived in a process of its own, whose import path holds the archive and not the checkout. It prints
the runtime; then it reads a line with a number of images, and their pixels, and prints their answers, a line of JSON.
"""

import inspect
import json
import logging
import sys
from pathlib import Path

import numpy as np

SIZE = 28  # pixels


def main(folder: Path, version: str, runtime: str) -> None:
    sys.path.insert(0, str(folder))
    from handler.predictor import Predictor

    logging.disable()
    # Releases up to 1.3 run in one data type alone, and do not say in which.
    known = {"runtime": runtime} if "runtime" in inspect.signature(Predictor.load).parameters else {}
    predictor = Predictor.load(folder / "weights.pt", version, **known)
    print(getattr(predictor, "runtime", "its own runtime"), flush=True)
    for line in sys.stdin.buffer:
        pixels = sys.stdin.buffer.read(int(line) * SIZE * SIZE)
        images = np.frombuffer(pixels, np.uint8).reshape(-1, SIZE, SIZE)
        answers = [answer.as_dict() for answer in predictor.predict_inputs(list(images))]
        print(json.dumps([{"input": "", **answer} for answer in answers]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
