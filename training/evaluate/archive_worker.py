"""Predict prepared images with the handler of an unpacked archive.

    python -I archive_worker.py FOLDER VERSION RUNTIME

archived_predictor.py starts it as a process with the archive, not the checkout, on its import path. It prints the
runtime. Then it repeats: read a line with the number of images and their pixels, print the predictions as a JSON line.
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
    # Releases up to 1.3 have one data type and no parameter for it.
    options = {"runtime": runtime} if "runtime" in inspect.signature(Predictor.load).parameters else {}
    predictor = Predictor.load(folder / "weights.pt", version, **options)
    print(getattr(predictor, "runtime", "its own runtime"), flush=True)
    for line in sys.stdin.buffer:
        pixels = sys.stdin.buffer.read(int(line) * SIZE * SIZE)
        images = np.frombuffer(pixels, np.uint8).reshape(-1, SIZE, SIZE)
        answers = [answer.as_dict() for answer in predictor.predict_inputs(list(images))]
        print(json.dumps([{"input": "", **answer} for answer in answers]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
