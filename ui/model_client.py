"""The client of the model: TorchServe's REST endpoints behind the gateway's inner listener."""

import base64
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID, uuid4

import requests

from ui.digits import DIGITS
from ui.record import check_types
from ui.tracing import span

# TorchServe holds a request while no worker is up. The gateway ends it after 10 s, an explanation after 30 s; these
# timeouts are for a gateway that hangs.
CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = {"predictions": 12.0, "explanations": 32.0}

FULL_INK = 255
INPUT_SIDE = 28
OPTIONAL = ("reason", "box")

# Fits two lines on a phone, beside the button "Try again".
UNAVAILABLE = "Model server unavailable: your drawing is read when it is back."

log = logging.getLogger(__name__)


class ModelError(Exception):
    """The model gave no answer. The message is a sentence for the person who drew."""


class PictureRefusedError(ModelError):
    """The model does not accept this picture. A retry is of no use."""


@dataclass(frozen=True)
class Answer:
    """The fields of a prediction (docs/api.md), and its latency as the page measured it, in milliseconds."""

    digit: int
    confidence: float
    probabilities: list[float]
    is_digit: bool
    digit_score: float
    model_version: str
    input: str
    latency_ms: float
    reason: str = ""  # the reason, if is_digit is false
    box: list[float] | None = None  # of the digit: left, top, right, bottom, as shares of the picture's sides

    @property
    def ink_share(self) -> float:
        """Mean of the input's pixels, 0 to 1: full ink is 255."""
        pixels = base64.b64decode(self.input)
        return sum(pixels) / (FULL_INK * len(pixels))

    def check(self) -> None:
        """Raise ValueError for a value that the page cannot show or the database refuses."""
        shares = [self.confidence, self.digit_score, *self.probabilities]
        if self.digit not in DIGITS or len(self.probabilities) != len(DIGITS) or not self.model_version:
            raise ValueError("a digit, its probability or the version is missing")
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a probability is not from 0 to 1")
        if len(base64.b64decode(self.input, validate=True)) != INPUT_SIDE**2:
            raise ValueError("the model's input is of another size")
        if self.box is not None and (len(self.box) != 4 or not all(0 <= side <= 1 for side in self.box)):
            raise ValueError("the digit's box is none")


@dataclass(frozen=True)
class Explanation:
    """Evidence for the digit, and for it rather than the runner-up: 28 rows of 28 weights from -1 to 1."""

    digit: int
    heatmap: list[list[float]]
    runner_up: int
    contrast: list[list[float]]

    def check(self) -> None:
        """Raise ValueError for a heat map of another size than the model's input."""
        sizes = {len(self.heatmap), len(self.contrast), *map(len, self.heatmap + self.contrast)}
        if sizes != {INPUT_SIDE}:
            raise ValueError("a picture is of another size")


T = TypeVar("T", Answer, Explanation)


class ModelClient:
    """Sends requests to `url`, the gateway's inner listener. Threads may share it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and passwords of the environment are for other hosts

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def predict(self, drawing: bytes, drawing_id: UUID) -> Answer:
        """The model's answer to a picture. Raises ModelError, or PictureRefusedError if a retry is of no use."""
        started = time.perf_counter()
        content = self._request("predictions", drawing, drawing_id)
        return _parse(Answer, {**content, "latency_ms": (time.perf_counter() - started) * 1000})

    def explain(self, drawing: bytes, drawing_id: UUID) -> Explanation:
        """The explanation of the answer to a picture. Raises ModelError."""
        return _parse(Explanation, self._request("explanations", drawing, drawing_id))

    def _request(self, what: str, drawing: bytes, drawing_id: UUID) -> dict[str, Any]:
        """The content of a successful response, empty unless it is a JSON object."""
        ids = {"drawing_id": str(drawing_id), "request_id": uuid4().hex}
        names = {"X-Drawing-Id": ids["drawing_id"], "X-Request-Id": ids["request_id"]}
        with span("page", what, **ids) as trace:
            try:
                response = self._session.post(
                    f"{self._url}/{what}/mnist",
                    data=drawing,
                    headers={"Content-Type": "image/png", **names, **trace},
                    timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S[what]),
                )
            except requests.RequestException as error:
                log.warning("%s failed: %s", what, type(error).__name__, extra=ids)
                raise ModelError(UNAVAILABLE) from None
            level = logging.INFO if response.ok else logging.WARNING
            elapsed_ms = response.elapsed.total_seconds() * 1000
            log.log(level, "%s: status %d after %.0f ms", what, response.status_code, elapsed_ms, extra=ids)
            try:
                content = response.json()
            except (ValueError, RecursionError):
                content = None
            content = content if isinstance(content, dict) else {}
            if response.ok:
                return content
            if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR and content:
                reason = content.get("message", "no reason given")
                raise PictureRefusedError(f"The model cannot read this picture: {reason}")
            raise ModelError(UNAVAILABLE)


def _parse(kind: type[T], content: Mapping[str, Any]) -> T:
    """The answer in a response. Raises PictureRefusedError, because the next picture may get a valid answer."""
    try:
        names = [name for name in kind.__dataclass_fields__ if name in content or name not in OPTIONAL]
        answer = kind(**{name: content[name] for name in names})
        check_types(answer)
        answer.check()
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
        # Names only: the values may hold the drawing.
        log.warning("the model's answer cannot be read: %s; fields: %s", reason, sorted(content))
        raise PictureRefusedError(
            f"The model's answer cannot be read ({reason}): page and model versions do not match."
        ) from None
    return answer
