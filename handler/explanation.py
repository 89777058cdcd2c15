"""Why the model answered as it did: which pixels spoke for its digit, and which against.

    explain(predictor, [Image.open("four.png")])[0].as_dict()   # the prediction's fields and three more

Integrated gradients (M. Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017) from a blank
sheet to the drawing: every pixel gets its share of how far the drawing moved the answer, and the
shares add up to that (completeness), so that nothing the heat map shows is made up.

Explained is what the network says at first sight; what it was not sure of it looked at again (handler/looks.py).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from handler.onnx_session import as_tensor
from handler.predictor import DIGITS, Prediction, Predictor
from handler.preprocessing import SIZE, Candidate, candidates

# Points on the way from blank to drawing, by Gauss-Legendre. Measured on twelve drawings and 1.3: with 24 the
# shares miss the sum by 5 % in the mean (8: 31 %, 50: 2 %) in 130 ms. DeepLift took a fifth of the time of an
# earlier net and missed by 4 %, but hangs on how the net is written: a reused or functional ReLU breaks it.
STEPS = 24


@dataclass(frozen=True)
class Explanation:
    """A prediction, and why.

    heatmap (28, 28): -1 to 1, what spoke for (positive) and against the digit, against all other digits.
    contrast (28, 28): -1 to 1, what speaks for the digit rather than for `runner_up`, the second digit.
    Each is scaled by its own largest value; a blank has zeros.
    """

    prediction: Prediction
    heatmap: list[list[float]]
    runner_up: int
    contrast: list[list[float]]

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.prediction.as_dict(),
            "heatmap": self.heatmap,
            "runner_up": self.runner_up,
            "contrast": self.contrast,
        }


def explain(predictor: Predictor, images: Sequence[Image.Image]) -> list[Explanation]:
    """One explanation an image, in their order; images of any mode and size."""
    return explain_candidates(predictor, [candidates(image) for image in images])


def explain_candidates(predictor: Predictor, images: Sequence[Sequence[Candidate]]) -> list[Explanation]:
    """The same for images whose ink is found already; each explanation is of the candidate that was chosen."""
    return [_explanation(predictor, prediction) for prediction in predictor.predict_candidates(images)]


def explain_inputs(predictor: Predictor, inputs: Sequence[NDArray[np.uint8]]) -> list[Explanation]:
    """The same for images that are prepared already: uint8 (28, 28) each, ink 255."""
    return [_explanation(predictor, prediction) for prediction in predictor.predict_inputs(inputs)]


def _explanation(predictor: Predictor, prediction: Prediction) -> Explanation:
    pixels = np.array(list(base64.b64decode(prediction.input)), np.uint8).reshape(SIZE, SIZE)
    order = np.argsort(-np.array(prediction.probabilities), kind="stable")
    digit, runner_up = prediction.digit, int(next(other for other in order if other != prediction.digit))
    if not pixels.any():
        nothing = [[0.0] * SIZE for _ in range(SIZE)]
        return Explanation(prediction, nothing, runner_up, nothing)
    # Logits have no zero of their own: a digit's is told against the mean of all ten, or the second's.
    questions = torch.full((2, DIGITS), 0.0)
    questions[0] -= 1 / DIGITS
    questions[:, digit] += 1
    questions[1, runner_up] -= 1
    heatmap, contrast = attributions(predictor, pixels, questions)
    return Explanation(prediction, _scaled(heatmap), runner_up, _scaled(contrast))


def attributions(predictor: Predictor, pixels: NDArray[np.uint8], questions: Tensor) -> Tensor:
    """What each pixel added to `questions @ logits` of the ten digits, from a blank sheet to the drawing.

    pixels: uint8 (28, 28); questions: float32 (N, 10), a weight for each logit. Float32 (N, 28, 28).
    """
    # captum imports matplotlib: 0.8 s of a core and 34 MB. Only the first explanation of a worker waits for it,
    # so that a worker starts without it and a process that only predicts never loads it.
    from captum.attr import IntegratedGradients

    def answer(drawing: Tensor, weights: Tensor) -> Tensor:
        logits: Tensor = predictor.model(drawing)
        return (logits[:, :DIGITS] * weights).sum(dim=1)

    drawings = as_tensor(pixels[np.newaxis]).repeat(len(questions), 1, 1, 1)
    shares: Tensor = IntegratedGradients(answer, multiply_by_inputs=True).attribute(
        drawings, baselines=0.0, additional_forward_args=(questions,), n_steps=STEPS
    )
    by_pixel: Tensor = shares.detach().squeeze(1)
    return by_pixel


def _scaled(shares: Tensor) -> list[list[float]]:
    largest = float(shares.abs().max())
    # Three decimals are finer than a screen's colours and make the answer a third as long.
    scaled: list[list[float]] = np.round((shares / (largest or 1)).double().numpy(), 3).tolist()
    return scaled
