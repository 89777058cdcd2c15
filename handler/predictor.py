"""From images to answers, in plain Python: no server is known here.

    predictor = Predictor.load(Path("training/released/model.pt"), version="1.0")
    predictor.predict([Image.open("seven.png")])[0].digit   # 7

One batch for all images. The logits are divided by the checkpoint's temperature, so that of the answers
at 0.9 nine in ten are right (C. Guo et al., "On Calibration of Modern Neural Networks", 2017).
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from handler.looks import looking_again
from handler.model import OUTPUTS, folded, restored
from handler.onnx_session import FLOAT32, Logits, eager, load_sessions, pick_fastest
from handler.preprocessing import SIZE, Candidate, candidates

DIGITS = 10
UNCHANGED = (1.0, 0.0)  # slope and intercept of a score that is not calibrated
# Why it is no digit. Of a blank there is no box.
Reason: TypeAlias = Literal["blank", "too_small", "several_digits", "not_a_digit"]


@dataclass(frozen=True)
class Prediction:
    """The answer for one image, in the API's own fields."""

    digit: int
    confidence: float
    probabilities: list[float]
    is_digit: bool
    digit_score: float
    model_version: str
    input: str
    reason: Reason | None = None
    box: tuple[float, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields that have a value; `reason` and `box` may have none."""
        return {name: value for name, value in self.__dict__.items() if value is not None}


class Predictor:
    """A model with what its answers need: temperature, threshold, when it looks again, and version."""

    def __init__(
        self,
        model: nn.Module,
        temperature: float,
        digit_threshold: float,
        version: str,
        logits: Logits | None = None,
        *,
        look_again_below: float = 0.0,
        score_line: tuple[float, float] = UNCHANGED,
        runtime: str = "torch",
    ) -> None:
        """`logits`, if given, answers in place of `model`, which then only explains; `runtime` says what it is.

        `score_line` calibrates the scores: see digit_scores.
        Below this probability it takes the mean of three looks: handler/looks.py; at 0 it never does.
        """
        # With the channels last a convolution takes 0.45 instead of 0.70 ms an image (batch of 8, one AMD EPYC core).
        self.model: nn.Module = convert_conv2d_weight_memory_format(
            model.eval().requires_grad_(False), torch.channels_last
        )
        once = logits or eager(self.model)
        self.logits = looking_again(once, look_again_below) if look_again_below else once
        self.look_again_below = look_again_below
        self.score_line = score_line
        self.runtime = runtime
        self.temperature = temperature
        self.digit_threshold = digit_threshold
        self.version = version

    @classmethod
    def load(cls, checkpoint: Path, version: str, runtime: str | None = None) -> "Predictor":
        """The predictor of a checkpoint that training wrote; raises what torch.load does, or KeyError.

        The network answers from this ONNX file beside the checkpoint, "int8" or "float32"; by default, and where that
        cannot be used, from the one that is faster here; without both in torch.
        """
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model = folded(restored(content["state_dict"]))
        sessions = load_sessions(checkpoint.with_suffix(FLOAT32), model)
        if runtime not in sessions:
            runtime = pick_fastest(sessions)
        return cls(
            model,
            float(content["temperature"]),
            float(content["digit_threshold"]),
            version,
            sessions.get(runtime),
            look_again_below=float(content.get("look_again_below", 0.0)),  # before 1.3 none did
            score_line=tuple(content.get("score_line", UNCHANGED)),  # nor one before 2.0
            runtime=runtime,
        )

    def predict(self, images: Sequence[Image.Image]) -> list[Prediction]:
        """One answer an image, in their order; images of any mode and size."""
        return self.predict_candidates([candidates(image) for image in images])

    def predict_candidates(self, images: Sequence[Sequence[Candidate]]) -> list[Prediction]:
        """One answer an image, in their order, each of the image's best candidate; one batch for all of them."""
        answers = iter(self.predict_inputs([pixels for image in images for pixels in _pixels(image)]))
        return [_best(image, list(islice(answers, max(1, len(image))))) for image in images]

    def predict_inputs(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """The same for images that are prepared already: uint8 (28, 28) each, ink 255."""
        if not inputs:
            return []
        pixels = np.stack(inputs)
        logits = self.logits(pixels)
        probabilities = digit_probabilities(logits, self.temperature)
        scores = digit_scores(logits, self.temperature, self.score_line)
        blank = pixels.reshape(len(pixels), -1).max(axis=1) == 0
        probabilities[blank], scores[blank] = 1 / DIGITS, 0.0
        return [self._prediction(*row) for row in zip(pixels, probabilities, scores, strict=True)]

    def _prediction(
        self, pixels: NDArray[np.uint8], probabilities: NDArray[np.float64], score: float
    ) -> Prediction:
        digit = int(probabilities.argmax())
        is_digit = bool(score >= self.digit_threshold and score > 0)
        return Prediction(
            digit=digit,
            confidence=float(probabilities[digit]),
            probabilities=probabilities.tolist(),
            is_digit=is_digit,
            digit_score=float(score),
            model_version=self.version,
            input=base64.b64encode(pixels.tobytes()).decode("ascii"),
            reason=None if is_digit else "not_a_digit" if pixels.any() else "blank",
        )


def _pixels(image: Sequence[Candidate]) -> list[NDArray[np.uint8]]:
    """Of a blank all 0."""
    return [candidate.pixels for candidate in image] or [np.zeros((SIZE, SIZE), np.uint8)]


def _best(image: Sequence[Candidate], answers: Sequence[Prediction]) -> Prediction:
    """The answer that is most likely right, by how sure it is and by how likely its ink is the digit's."""
    if not image:
        return answers[0]
    best = max(
        range(len(image)),
        key=lambda place: (
            answers[place].digit_score * answers[place].confidence * math.sqrt(image[place].ink.score)
        ),
    )
    answer, ink = answers[best], image[best].ink
    if ink.several:
        return replace(answer, is_digit=False, reason="several_digits", box=ink.place)
    reason: Reason | None = "too_small" if ink.tiny and not answer.is_digit else answer.reason
    return replace(answer, reason=reason, box=ink.place)


def digit_probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """How probable each digit is, given that it is one: (N, 10) of logits (N, 10) or more."""
    return _softmax(logits[:, :DIGITS].astype(np.float64) / temperature)


def digit_scores(
    logits: NDArray[np.float32], temperature: float, line: tuple[float, float] = UNCHANGED
) -> NDArray[np.float64]:
    """How like a digit each is, 0 to 1: (N,) of logits (N, 11), or of two opinions' (N, 22), the lower of them.

    An opinion is the probability that it is not "no digit". A network that knows no such thing, of logits (N, 10), is
    asked for its confidence. The logarithm of the odds is calibrated by a line, slope and intercept: J. Platt,
    "Probabilistic Outputs for Support Vector Machines", 1999.
    """
    if logits.shape[1] == DIGITS:
        return digit_probabilities(logits, temperature).max(axis=1)
    slope, intercept = line
    scores: NDArray[np.float64] = 1 / (1 + np.exp(-(slope * log_odds(logits, temperature) + intercept)))
    return scores


def log_odds(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """The logarithm of the odds that each is a digit, (N,) of logits (N, 11) or (N, 22); of two opinions the lower."""
    opinions = (
        logits.astype(np.float64).reshape(len(logits), logits.shape[1] // OUTPUTS, OUTPUTS) / temperature
    )
    odds: NDArray[np.float64] = np.logaddexp.reduce(opinions[..., :DIGITS], axis=-1) - opinions[..., DIGITS]
    return odds.min(axis=-1)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """In double precision the ten of them sum to 1 in every digit that JSON shows."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
