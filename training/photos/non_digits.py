"""The AUROC of `digit_score` for digits against letters and signs, in each kind of picture.

    .venv/train/bin/python -m training.photos.non_digits --count 30

Both are by the held-out writers. The row `clean_canvas` is for comparison with the photos.
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handler.predictor import Prediction, Predictor
from training.archive.pack import RELEASED_CHECKPOINT
from training.photos import KINDS
from training.photos.measure import held_out_drawings, pictures
from training.strokes.generate import NO_DIGIT
from training.train.calibration import area_under_curve


def scores(answers: Sequence[Prediction]) -> NDArray[np.float64]:
    return np.array([answer.digit_score for answer in answers])


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Measure digits against letters and signs in photos.")
    parser.add_argument("--count", type=int, default=30, help="pictures of each kind and class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="all by default")
    options = parser.parse_args(arguments)
    try:
        drawings = held_out_drawings()
    except OSError:
        print("No real drawings: run make data, or set DRAWN_DATA to their folder", file=sys.stderr)
        return 1
    digits = [drawing for drawing in drawings if drawing[1] != NO_DIGIT]
    others = [drawing for drawing in drawings if drawing[1] == NO_DIGIT]
    predictor, found, both = Predictor.load(RELEASED_CHECKPOINT, "released", "int8"), [], []
    print("kind | AUROC | letters and signs called a digit")
    for kind in options.kinds:
        if not KINDS[kind].digit or KINDS[kind].may_refuse:
            continue
        of_digits, of_others = (
            predictor.predict([image for image, _ in pictures(kind, drawn, options.count, options.seed)])
            for drawn in (digits, others)
        )
        both.append((scores(of_digits), scores(of_others)))
        accepted = float(np.mean([answer.is_digit for answer in of_others]))
        found.append((area_under_curve(*both[-1]), accepted))
        print(f"{kind} | {found[-1][0]:.2%} | {accepted:.0%}", flush=True)
    pooled = area_under_curve(*(np.concatenate(one) for one in zip(*both, strict=True)))
    mean = np.mean(found, axis=0)
    print(f"mean of {len(found)} kinds | {mean[0]:.2%} | {mean[1]:.0%}\nall pictures together | {pooled:.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
