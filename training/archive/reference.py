"""The reference for drift: predictions for generated digits in all writing styles, on the page's canvas.

MNIST is excluded, because no brush drew its lines. The population stability index (PSI) in deciles compares pendigits
(1,500 drawings by the 24 writers outside the reporting sets) with a reference. That of the ink share is 0.21 against
MNIST, 0.08 against a mixture of both, and 0.01 against the generated digits.

People write more clearly than the generated digits of training, so those of the reference vary less. PSI of release
2.0's digit scores, of 1,039 digits by held-out writers: 0.26 with the variation of training, 0.15 with 0.65 of it.
"""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handler.predictor import Predictor
from handler.preprocessing import preprocess
from training.evaluate.batches import predict_all
from training.strokes import digits
from training.strokes.hand import USUAL, Amounts, write
from training.strokes.pen import keep_inside, render

DRAWINGS = 1000
BRUSH = 20.0  # pixels of the canvas: the page's medium brush (ui/canvas.py)
CLEAR = Amounts(**{name: 0.65 * amount for name, amount in asdict(USUAL).items()})


def reference(predictor: Predictor) -> dict[str, list[float]]:
    """The reference values of each drift feature (sql/migrations/0009_drift_bins_of_low_scores.sql) by name."""
    return features(predictor, np.stack([preprocess(canvas) for canvas in canvases(DRAWINGS)]))


def features(predictor: Predictor, images: NDArray[np.uint8]) -> dict[str, list[float]]:
    """Drift features of prepared images, uint8 (N, 28, 28), by name."""
    answers = predict_all(predictor, images)
    return {
        "digit": [answer.digit for answer in answers],
        "confidence": [round(answer.confidence, 6) for answer in answers],
        "digit_score": [round(answer.digit_score, 6) for answer in answers],
        "ink_share": [round(float(image.mean()) / np.iinfo(np.uint8).max, 6) for image in images],
    }


def canvases(count: int, seed: int = 0, brush: float = BRUSH) -> list[Image.Image]:
    """Draw digits 0 to 9 in turn, in all styles: images "L" of 280 x 280, ink 255."""
    of_digit = [[style for style in digits.STYLES if style.digit == d] for d in range(10)]
    drawn = []
    for i in range(count):
        styles, rng = of_digit[i % 10], np.random.default_rng([seed, i])
        paths = write(styles[i // 10 % len(styles)].figure(rng), rng, CLEAR)
        drawn.append(render(keep_inside(paths, brush), brush))
    return drawn
