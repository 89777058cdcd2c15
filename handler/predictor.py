"""Predict digits in plain Python, without a server.

    predictor = Predictor.load(Path("training/release/mnist-2.0.pt"), version="2.0")
    predictor.predict([Image.open("seven.png")])[0].digit   # 7

All images go through the network in one batch. The logits are divided by the checkpoint's temperature, so that nine in
ten answers with confidence 0.9 are right (C. Guo et al., "On Calibration of Modern Neural Networks", 2017).
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from handler.greys import Picture
from handler.model import DIGITS, OUTPUTS, fold_batch_norm, restore_model
from handler.onnx_session import FLOAT32, Logits, eager, load_sessions, pick_fastest
from handler.preprocessing import SIZE, Candidate, candidates
from handler.tta import add_tta

UNCHANGED = (1.0, 0.0)  # slope and intercept of a score that is not calibrated
Reason: TypeAlias = Literal["blank", "too_small", "several_digits", "not_a_digit"]


@dataclass(frozen=True)
class Prediction:
    """The answer for one image, with the fields of docs/api.md."""

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


@dataclass(eq=False)
class Predictor:
    """A network with its temperature, digit threshold and version.

    network: predicts instead of `model`, which then only explains. tta_below: the limit for add_tta; 0 is without TTA.
    score_line: slope and intercept for digit_scores. runtime: the name of what runs the network.
    """

    model: nn.Module
    temperature: float
    digit_threshold: float
    version: str
    network: InitVar[Logits | None] = None
    _: KW_ONLY
    tta_below: float = 0.0
    score_line: tuple[float, float] = UNCHANGED
    runtime: str = "torch"
    logits: Logits = field(init=False)

    def __post_init__(self, network: Logits | None) -> None:
        # With the channels last a convolution takes 0.45 instead of 0.70 ms an image (batch of 8, one AMD EPYC core).
        self.model = convert_conv2d_weight_memory_format(
            self.model.eval().requires_grad_(False), torch.channels_last
        )
        network = network or eager(self.model)
        self.logits = add_tta(network, self.tta_below) if self.tta_below else network

    @classmethod
    def load(cls, checkpoint: Path, version: str, runtime: str | None = None) -> "Predictor":
        """The predictor of a checkpoint; raises what torch.load does, or KeyError.

        `runtime` selects the ONNX file beside the checkpoint, "int8" or "float32". Without it, or without that file,
        the faster one runs the network; without both files PyTorch does.
        """
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model = fold_batch_norm(restore_model(content["state_dict"]))
        sessions = load_sessions(checkpoint.with_suffix(FLOAT32), model)
        if runtime not in sessions:
            runtime = pick_fastest(sessions)
        return cls(
            model,
            float(content["temperature"]),
            float(content["digit_threshold"]),
            version,
            sessions.get(runtime),
            tta_below=float(content.get("look_again_below", 0.0)),  # releases before 1.3 have no TTA
            score_line=tuple(content.get("score_line", UNCHANGED)),  # nor a calibrated score before 2.0
            runtime=runtime,
        )

    def predict(self, pictures: Sequence[Picture]) -> list[Prediction]:
        """One answer for each picture, in their order: images of any mode and size, or greys uint8 (h, w)."""
        return self.predict_candidates([candidates(picture) for picture in pictures])

    def predict_candidates(self, images: Sequence[Sequence[Candidate]]) -> list[Prediction]:
        """One answer for each image, in their order: that of its best candidate, a blank without candidates."""
        blank = np.zeros((SIZE, SIZE), np.uint8)
        inputs = [[candidate.pixels for candidate in image] or [blank] for image in images]
        answers = iter(self.predict_inputs([pixels for one in inputs for pixels in one]))
        return [
            _pick_best(image, [next(answers) for _ in one]) for image, one in zip(images, inputs, strict=True)
        ]

    def predict_inputs(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """One answer for each prepared image, uint8 (28, 28) with ink 255, in one batch."""
        if not inputs:
            return []
        pixels = np.stack(inputs)
        logits = self.logits(pixels)
        probabilities = digit_probabilities(logits, self.temperature)
        scores = digit_scores(logits, self.temperature, self.score_line)
        rows = zip(pixels, probabilities.tolist(), scores.tolist(), strict=True)
        return [self._prediction(*row) for row in rows]

    def _prediction(self, pixels: NDArray[np.uint8], probabilities: list[float], score: float) -> Prediction:
        blank = not pixels.any()
        if blank:
            probabilities, score = [1 / DIGITS] * DIGITS, 0.0
        confidence = max(probabilities)
        is_digit = score >= self.digit_threshold and score > 0
        return Prediction(
            digit=probabilities.index(confidence),
            confidence=confidence,
            probabilities=probabilities,
            is_digit=is_digit,
            digit_score=score,
            model_version=self.version,
            input=base64.b64encode(pixels.tobytes()).decode("ascii"),
            reason=None if is_digit else "blank" if blank else "not_a_digit",
        )


def _pick_best(image: Sequence[Candidate], answers: Sequence[Prediction]) -> Prediction:
    """The answer of the best candidate, with its probabilities mixed with those of the best one for another digit.

    The weight of a candidate is the product of digit score, confidence and square root of the ink's score. If the mixed
    probabilities name the other digit, its candidate is the one that is shown.
    """
    if not image:
        return answers[0]
    weights = [
        answer.digit_score * answer.confidence * math.sqrt(candidate.ink.score)
        for candidate, answer in zip(image, answers, strict=True)
    ]
    best, *others = sorted(range(len(image)), key=weights.__getitem__, reverse=True)
    answer = answers[best]
    rival = next((number for number in others if answers[number].digit != answer.digit), None)
    if rival is not None and weights[best]:
        mixed = _mix(answer.probabilities, answers[rival].probabilities, weights[rival] / weights[best])
        confidence = max(mixed)
        digit = mixed.index(confidence)
        if digit == answers[rival].digit:
            best = rival
        answer = replace(answers[best], digit=digit, confidence=confidence, probabilities=mixed)
    ink = image[best].ink
    if ink.several:
        return replace(answer, is_digit=False, reason="several_digits", box=ink.relative_box)
    reason = "too_small" if ink.tiny and not answer.is_digit else answer.reason
    return replace(answer, reason=reason, box=ink.relative_box)


def _mix(probabilities: list[float], rivals: list[float], weight: float) -> list[float]:
    """The weighted mean of two lists of probabilities. `weight` is the second's, 0 to 1; the first's is 1.

    Without it, half of the sure wrong answers on photos showed a part of the digit, or dirt. Section "Evaluate" of
    docs/training.md has the numbers.
    """
    return [(own + weight * other) / (1 + weight) for own, other in zip(probabilities, rivals, strict=True)]


def digit_probabilities(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """The probability of each digit if the image is a digit: (N, 10), of logits (N, 10) or more.

    In double precision, so that their sum is 1 in every decimal place of the JSON.
    """
    scaled = logits[:, :DIGITS].astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def digit_scores(
    logits: NDArray[np.float32], temperature: float, line: tuple[float, float] = UNCHANGED
) -> NDArray[np.float64]:
    """How much each image resembles a digit, 0 to 1: (N,), of logits (N, 10), (N, 11) or (N, 22).

    The score is the probability that the image is not "no digit". Its log-odds are calibrated by a line, slope and
    intercept: J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999. For a network without "no digit",
    with logits (N, 10), the score is the confidence.
    """
    if logits.shape[1] == DIGITS:
        return digit_probabilities(logits, temperature).max(axis=1)
    slope, intercept = line
    return 1 / (1 + np.exp(-(slope * log_odds(logits, temperature) + intercept)))


def log_odds(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """The log-odds that each image is a digit: (N,), of logits (N, 11).

    Releases 1.3 and 1.4 have logits (N, 22), eleven of them from a Gaussian discriminant (LDA): the lower odds count.
    """
    scaled = logits.astype(np.float64).reshape(len(logits), logits.shape[1] // OUTPUTS, OUTPUTS) / temperature
    odds = np.logaddexp.reduce(scaled[..., :DIGITS], axis=-1) - scaled[..., DIGITS]
    return odds.min(axis=-1)
