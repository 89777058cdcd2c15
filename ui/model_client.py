"""The model as the page knows it: TorchServe's REST predictions endpoint behind the gateway's inner listener."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

import requests

# While no worker is up TorchServe holds a request rather than refuse it. The gateway gives up after 10 s, for an
# explanation after 30 s; these are for a gateway that is stuck itself.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = {"predictions": 12.0, "explanations": 32.0}

FULL_INK = 255

# Two lines on a phone, beside a button: the room that the page keeps for it.
AWAY = "Model server unavailable: your drawing is read when it is back."


class ModelError(Exception):
    """The model gave no answer; the message is a sentence for the person who drew."""


class PictureRefused(ModelError):  # noqa: N818  it reads as what happened
    """The model will not read this picture, now or later."""


@dataclass(frozen=True)
class Answer:
    """The fields of the REST answer, and how long it took, in milliseconds, as seen from here."""

    digit: int
    confidence: float
    probabilities: list[float]
    is_digit: bool
    digit_score: float
    model_version: str
    input: str
    latency_ms: float

    @property
    def ink_share(self) -> float:
        """Mean of the input's pixels, 0 to 1: full ink is 255."""
        pixels = base64.b64decode(self.input)
        return sum(pixels) / (FULL_INK * len(pixels))


@dataclass(frozen=True)
class Explanation:
    """What spoke for and against the digit, and rather for it than for the runner-up: 28 rows of 28, -1 to 1."""

    digit: int
    heatmap: list[list[float]]
    runner_up: int
    contrast: list[list[float]]


T = TypeVar("T", Answer, Explanation)


class ModelClient:
    """Asks the model at `url`, the gateway's inner listener. May be shared between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # The model is near: a proxy or password that the environment names for other places is not for it.
        self._session.trust_env = False

    def close(self) -> None:
        """Give back the connections."""
        self._session.close()

    def predict(self, drawing: bytes, drawing_id: UUID) -> Answer:
        """What the model reads in a picture. Raises ModelError, or PictureRefused where trying again is of no use."""
        started = time.perf_counter()
        content = self._ask("predictions", drawing, drawing_id)
        latency_ms = (time.perf_counter() - started) * 1000
        return _from(Answer, {**content, "latency_ms": latency_ms})

    def explain(self, drawing: bytes, drawing_id: UUID) -> Explanation:
        """Why the model reads it so. Raises ModelError."""
        return _from(Explanation, self._ask("explanations", drawing, drawing_id))

    def _ask(self, what: str, drawing: bytes, drawing_id: UUID) -> dict[str, Any]:
        try:
            response = self._session.post(
                f"{self._url}/{what}/mnist",
                data=drawing,
                headers={"Content-Type": "image/png", "X-Drawing-Id": str(drawing_id)},
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S[what]),
            )
            content = response.json()
        except requests.RequestException:
            raise ModelError(AWAY) from None
        if response.ok and isinstance(content, dict):
            return content
        if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and isinstance(content, dict):
            raise PictureRefused(
                f"The model cannot read this picture: {content.get('message', 'no reason given')}"
            )
        raise ModelError(AWAY)


def _from(kind: type[T], content: Mapping[str, Any]) -> T:
    names = kind.__dataclass_fields__
    try:
        return kind(**{name: content[name] for name in names})
    except KeyError as missing:
        raise ModelError(
            f"The model's answer has no field {missing}: page and model versions do not match."
        ) from None
