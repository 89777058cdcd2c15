"""Explain a prediction: which pixels are evidence for its digit, and which against it.

    explain(predictor, [candidates(Image.open("four.png"))])[0].as_dict()   # the prediction's fields and three more

Integrated gradients (M. Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017) from a blank image to the
drawing attribute to each pixel its share of the change of the logits. The attributions add up to the whole change
(completeness). They explain the first pass of the network, without TTA (handler/tta.py).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from handler.model import DIGITS
from handler.onnx_session import as_tensor
from handler.predictor import Prediction, Predictor
from handler.preprocessing import SIZE, Candidate

# Points from blank to drawing (Gauss-Legendre). 24 points take 130 ms. The attributions miss their sum by 31 % with 8
# points, by 5 % with 24 and by 2 % with 50 (mean of twelve drawings, release 1.3). DeepLift took a fifth of the time on
# an earlier network and missed the sum by 4 %, but it fails on a ReLU module that is reused or functional.
STEPS = 24


@dataclass(frozen=True)
class Explanation:
    """A prediction and the evidence for it.

    heatmap (28, 28): -1 to 1, evidence for the digit (positive) and against it, compared with the mean of all digits.
    contrast (28, 28): -1 to 1, evidence for the digit (positive) and for `runner_up`, the second most probable digit.
    Each is divided by its own largest absolute value; a blank has zeros.
    """

    prediction: Prediction
    heatmap: list[list[float]]
    runner_up: int
    contrast: list[list[float]]

    def as_dict(self) -> dict[str, Any]:
        return self.prediction.as_dict() | {
            name: getattr(self, name) for name in ("heatmap", "runner_up", "contrast")
        }


def explain(predictor: Predictor, images: Sequence[Sequence[Candidate]]) -> list[Explanation]:
    """One explanation for each image, in their order, of the candidate that the prediction chose."""
    return [_explain_prediction(predictor, prediction) for prediction in predictor.predict_candidates(images)]


def _explain_prediction(predictor: Predictor, prediction: Prediction) -> Explanation:
    pixels = np.array(list(base64.b64decode(prediction.input)), np.uint8).reshape(SIZE, SIZE)
    order = np.argsort(-np.array(prediction.probabilities), kind="stable")
    digit, runner_up = prediction.digit, int(next(other for other in order if other != prediction.digit))
    # The zero of a logit means nothing. So compare the digit's logit with the mean of all ten and with the runner-up's.
    weights = torch.zeros(2, DIGITS)
    weights[0] -= 1 / DIGITS
    weights[:, digit] += 1
    weights[1, runner_up] -= 1
    heatmap, contrast = attribute(predictor, pixels, weights) if pixels.any() else torch.zeros(2, SIZE, SIZE)
    return Explanation(prediction, _scale(heatmap), runner_up, _scale(contrast))


def attribute(predictor: Predictor, pixels: NDArray[np.uint8], weights: Tensor) -> Tensor:
    """Attributions of `weights @ logits` of the ten digits to the pixels, from a blank image to this one.

    pixels: uint8 (28, 28); weights: float32 (N, 10). Returns float32 (N, 28, 28).
    """
    # captum imports matplotlib, which takes 0.8 s of a core and 34 MB. A worker that only predicts never loads it.
    from captum.attr import IntegratedGradients

    def weigh_logits(images: Tensor, weights: Tensor) -> Tensor:
        return (predictor.model(images)[:, :DIGITS] * weights).sum(dim=1)

    images = as_tensor(pixels[np.newaxis]).repeat(len(weights), 1, 1, 1)
    attributions: Tensor = IntegratedGradients(weigh_logits, multiply_by_inputs=True).attribute(
        images, baselines=0.0, additional_forward_args=(weights,), n_steps=STEPS
    )
    return attributions.detach().squeeze(1)


def _scale(attributions: Tensor) -> list[list[float]]:
    largest = float(attributions.abs().max())
    # Three decimals are finer than a screen's colours and make the answer a third as long.
    return np.round((attributions / (largest or 1)).double().numpy(), 3).tolist()
